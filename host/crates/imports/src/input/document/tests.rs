//! The rows of a list, at any place in a document.

use super::*;

/// The rows, and the error that ended them.
fn rows(text: &str) -> (Vec<String>, Option<(u64, u64)>) {
    let mut document = Document::new(40, Place::START);
    let mut reader = text.as_bytes();
    let mut seen = Vec::new();
    loop {
        match document.next(&mut reader) {
            Ok(None) => return (seen, None),
            Ok(Some(_)) => seen.push(String::from_utf8_lossy(document.row().unwrap_or(b"too large")).into_owned()),
            Err(Stop::Read(ReadError::Lost { line, column, .. } | ReadError::CutShort { line, column, .. })) => {
                return (seen, Some((line, column)));
            }
            Err(_) => panic!("no other failure is known"),
        }
    }
}

#[test]
fn the_rows_of_a_list_are_its_items_wherever_the_list_is() {
    let cases: [(&str, &[&str]); 13] = [
        ("[]", &[]),
        ("[ {\"a\":[1,{}]} , {} ]\n", &["{\"a\":[1,{}]}", "{}"]),
        ("[1,\"a]\",[2],null]", &["1", "\"a]\"", "[2]", "null"]),
        ("{\"items\":[{\"a\":1},{\"b\":2}],\"next\":null}", &["{\"a\":1}", "{\"b\":2}"]),
        ("{\"next\":{\"items\":[3]},\n\"data\" : [ {} ] }", &["{}"]),
        ("{\"data\":[{}],\"items\":[{\"x\":\"\\\"\\\\\"}]}", &["{}", "{\"x\":\"\\\"\\\\\"}"]),
        ("{\"items\":[{}]}\n{\"items\":[{\"a\":1}]}", &["{}", "{\"a\":1}"]),
        ("{\n\"a\": 1\n}\n{\n}\n", &["{\n\"a\": 1\n}", "{\n}"]),
        ("{\"total\":1,\"accounts\":[{}]}", &["{}"]),
        ("{\"items\":{\"a\":[1]}}", &["{\"items\":{\"a\":[1]}}"]),
        ("{\"a\":[\"items\",[1]]}", &["{\"a\":[\"items\",[1]]}"]),
        ("[{\"items\":[{}]}]", &["{\"items\":[{}]}"]),
        ("[{\"a\":\"0123456789012345678901234567890123456789\"},{}]", &["too large", "{}"]),
    ];
    for (text, expected) in cases {
        let (seen, lost) = rows(text);
        assert_eq!(
            (seen.as_slice(), lost),
            (&*expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), None),
            "{text}"
        );
    }
}

#[test]
fn a_row_with_an_error_inside_is_left_to_the_parser_and_the_next_one_is_found() {
    for bad in ["{\"a\":tru}", "{\"a\":1,}", "{\"a\"}", "{a:b c}", "{\"a\":\"\\x\"}", "{\"a\":01}", "{\"a\":}", "nope"]
    {
        assert_eq!(rows(&format!("[{bad},{{}}]")), (vec![bad.to_owned(), "{}".to_owned()], None), "{bad}");
    }
}

#[test]
fn after_a_missing_quote_or_bracket_reading_ends_there() {
    for (text, rows_before, line, column) in [
        ("[{\"z\":1},{\"a\":\"b},{\"c\":\"d\"}]", 1, 1, 21),
        ("[{},\n{\"a\":b\"},{}]", 1, 2, 7),
        ("[{\"a\":\"b\n\"},{}]", 0, 1, 9),
        ("[{\"a\":1]},{}]", 0, 1, 8),
        ("[{} {}]", 1, 1, 5),
        ("[{},]", 1, 1, 5),
        ("[{},,{}]", 1, 1, 5),
        ("[{}", 1, 1, 4),
        ("[{},{\"a\":", 1, 1, 10),
        ("[{}] x", 1, 1, 6),
        ("[{'a':1}]", 0, 1, 3),
        ("{}\n,{}", 1, 2, 1),
    ] {
        let (seen, lost) = rows(text);
        assert_eq!((seen.len(), lost), (rows_before, Some((line, column))), "{text}");
    }
    assert!(rows(&"[".repeat(5000)).1.is_some());
}
