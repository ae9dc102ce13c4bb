//! Keyferry's own rows in each format.

use super::*;
use crate::input::RowFormat;

#[test]
fn a_row_is_the_same_in_each_format() {
    let csv = "linked_account_id,slug,auth_type,access_token\nuser_1,hubspot,oauth2,s3cr3t\n";
    for (file, line) in [
        (ROW.to_owned(), 1),
        (format!("\u{feff}\r\n\r\n{ROW}\r\n"), 3),
        (format!("[\n{ROW}\n]"), 2),
        (format!("{{\"items\":[{ROW}],\"next\":null}}"), 1),
        (format!("{{\"count\":1,\"records\":[{ROW}]}}"), 1),
        (ROW.replace(",\"slug\"", ",\n\"slug\""), 1),
        (csv.to_owned(), 2),
        (format!("\u{feff}{}", csv.replace(',', ";").replace('\n', "\r\n")), 2),
        (csv.replace(',', "\t"), 2),
        (csv.replace("linked_account_id", "\"Linked Account ID\""), 2),
        (csv.replace("linked_account_id,slug,auth_type,access_token", "linkedAccountId,Slug,AUTH-TYPE,Access Token"), 2),
        (csv.replace("oauth2", "OAuth 2").replace(',', "|"), 2),
        (format!("\u{feff}sep=;\r\n{}", csv.replace(',', ";").replace('\n', "\r\n")), 3),
        (format!("\"sep=,\",,,\n,,,\n\n{csv}"), 5),
        (format!("{}, ,,\n\n,,,\n", csv.replace("\nuser_1", "\n,,,\n , ,,\nuser_1")), 4),
        (csv.replace('\n', ",,\n"), 2),
        (csv.replace("s3cr3t", "s3cr3t,, "), 2),
        (csv.trim_end().to_owned(), 2),
        // Old spreadsheets end lines by a carriage return alone.
        (csv.replace('\n', "\r"), 2),
        (format!("sep=;\r{}", csv.replace(',', ";").replace('\n', "\r")), 3),
        (format!("\r\r{ROW}\r"), 1),
        // Titles above the header, and a column of row numbers.
        (format!("Credentials of May\n\n{csv}"), 4),
        (format!("Credentials;;;\r\nof May;;;\r\n;;;\r\n{}", csv.replace(',', ";").replace('\n', "\r\n")), 5),
        (format!("sep=\t\nCredentials\n{}", csv.replace(',', "\t")), 4),
        (csv.replace("linked", ",linked").replace("user_1", "0,user_1"), 2),
        (csv.replace("linked", "#,linked").replace("user_1", "17,user_1"), 2),
        (ROW.replace("linked_account_id", "Linked Account ID").replace("slug", "Slug"), 1),
        ("linked_account_id,slug,auth_object\nuser_1,hubspot,\"{\"\"oauth2\"\":{\"\"access_token\"\":\"\"s3cr3t\"\"}}\"".into(), 2),
    ] {
        assert_eq!(native(&file), [format!("1@{line} {TOLD}")], "{file}");
    }
    let sheet = format!("\u{feff}{}", csv.replace(',', "\t").replace('\n', "\r\n"));
    for unit in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
        let wide: Vec<u8> = sheet.encode_utf16().flat_map(unit).collect();
        assert_eq!(told(wide, ReadOptions::default()), [format!("1@2 {TOLD}")]);
    }
    for nothing in
        ["sep=;", "sep=;\r\n\r\n", ",,,\n", "", "\n\r\n \n", "[]", "linked_account_id,slug,auth_type\n", "\u{feff}"]
    {
        assert!(native(nothing).is_empty(), "{nothing:?}");
    }
}

#[test]
fn a_bad_row_does_not_end_the_file() {
    let large = format!("{{\"a\":\"{}\"}}", "s3cr3t".repeat(200_000));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let rows: [(&str, &str); 15] = [
        (&large, "2@2 row_too_large the row is larger than 1048576 bytes"),
        ("{\"s3cr3t\"", "2@2:9 invalid_json the row is not valid JSON: it ends too early, at column 9"),
        ("{\"a\":1,\"a\":2}", "repeated an object holds the same member twice, at column"),
        (&deep, "too_deep the row is nested too deeply, at column"),
        ("[]", "not_an_object a row must be an object, and is an array"),
        ("{}", "missing_column `linked_account_id` is missing"),
        (r#"{"linked_account_id":"u"}"#, "(u -) missing_column `slug` is missing"),
        (r#"{"linked_account_id":"u","slug":"x"}"#, "(u x) missing_column `auth_type` is missing"),
        (r#"{"linked_account_id":"u","slug":"S3cr3t"}"#, "(u -) missing_column"),
        (
            r#"{"linked_account_id":"u","slug":"x","auth_object":"s3cr3t"}"#,
            "invalid_value `auth_object` must be an object",
        ),
        (r#"{"linked_account_id":["s3cr3t"],"slug":"x"}"#, "(- x) invalid_value `linked_account_id` must be a string"),
        (
            r#"{"linked_account_id":"a\u0001s3cr3t"}"#,
            "invalid_value `linked_account_id` is not valid: a linked account id must",
        ),
        (
            r#"{"linked_acount_id":"u"}"#,
            "unknown_column `linked_acount_id` is not known here; `linked_account_id` may be meant: --map linked_acount_id=linked_account_id",
        ),
        (r#"{"s3cr3t-v4lue":"u"}"#, "unknown_column `***` is not known here: leave it out by --map COLUMN="),
        (
            r#"{"linked_account_id":"u","slug":"x","auth_object":{},"updated_at":"s3cr3t"}"#,
            "invalid_value `updated_at` must be a time",
        ),
    ];
    for (row, expected) in rows {
        let told = native(&format!("{ROW}\n{row}\n\n{ROW}\n"));
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[1].contains(expected) && !told[1].contains("3cr3t"), "{}", told[1]);
        assert_eq!(told[2], format!("3@4 {TOLD}"));
        // The same in a list.
        if row.ends_with('}') {
            let told = native(&format!("[{row},\n{ROW}]"));
            assert_eq!(told.last(), Some(&format!("2@2 {TOLD}")), "{row}");
        }
    }
    let read = native(&format!("{ROW}{ROW}"));
    assert!(read[0].contains("there is a syntax error") && !read[0].contains("cut short"), "{read:?}");
    let read = native(&ROW[..40]);
    assert!(read[0].contains("it ends too early") && read[0].contains("cut short"), "{read:?}");
    let file = [ROW.as_bytes(), b"\n{\"a\":\"\xff\"}\n", ROW.as_bytes()].concat();
    let told = told(file, ReadOptions::default());
    assert_eq!(told[1], "2@2:7 invalid_encoding the row is not UTF-8, at column 7");
    assert_eq!(told[2], format!("3@3 {TOLD}"));
}

#[test]
fn a_bad_record_does_not_end_the_file() {
    let header = "linked_account_id,slug,auth_type,updated_at,access_token,\n";
    let good = "user_1,hubspot,oauth2,,s3cr3t,\n";
    let large = format!("u,x,oauth2,,{},\n", "s3cr3t".repeat(200_000));
    let rows: [(&[u8], &str); 10] = [
        (
            b"u,x,oauth2,46266.4375,s3cr3t,\n",
            "invalid_value `updated_at` must be a time, and as one it is before the year 2000",
        ),
        (large.as_bytes(), "row_too_large the row is larger than 1048576 bytes"),
        (b"u,x\n", "1@2 field_count the row has 2 fields, and the header 6"),
        (b"u,x,oauth2,,s3cr3t,,y\n", "field_count the row has 7 fields, and the header 6"),
        (b"u,x,oauth2,,s3cr3t,s3cr3t\n", "1@2:6 (u x) unknown_column there is something in a column that has no name"),
        (b"u,x,oauth2,,\xff,\n", "1@2:5 (u x) invalid_encoding the field is not UTF-8"),
        (b",x,oauth2,,s3cr3t,\n", "1@2:1 (- x) missing_column `linked_account_id` is missing"),
        (b"u,x,,,s3cr3t,\n", "1@2:3 (u x) missing_column `auth_type` is missing"),
        (b"u,x,oauth2,,,\n", "(u x) missing_column the credential is missing"),
        (b"u,x,OAuth 2,s3cr3t,s3cr3t,\n", "1@2:4 (u x) invalid_value `updated_at` must be a time"),
    ];
    for (row, expected) in rows {
        let told = told([header.as_bytes(), row, good.as_bytes()].concat(), ReadOptions::default());
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains(expected) && !told[0].contains("3cr3t"), "{} for {expected}", told[0]);
        assert_eq!(told[1], format!("2@3 {TOLD}"));
    }
    let told = native(&format!("{header}{good}u,\"x,\n{good}"));
    assert!(
        told[1].starts_with("2@3:2 unclosed_quote a quote opens in the value of `slug` on line 3") && told.len() == 2,
        "{told:?}"
    );
}

#[test]
fn a_file_that_was_cut_short_is_told_where() {
    for (file, expected) in [
        (
            format!("{ROW}\n{}", &ROW[..ROW.len() - 9]),
            "invalid_json the row is not valid JSON: it ends too early, at column",
        ),
        (
            format!("[{ROW},\n{}", &ROW[..40]),
            "invalid_json line 2 column 41: the file ends inside the row that begins on line 2",
        ),
        (format!("[{ROW},\n"), "invalid_json line 2 column 1: the file ends before the list of its rows is closed"),
        (format!("{{\"items\":[{ROW}"), "the file ends before the list of its rows is closed"),
        (
            "linked_account_id,slug,auth_type,key\nu,x,k,\"s3cr3t\nmore\n".to_owned(),
            "1@2:4 unclosed_quote a quote opens in the value of `key` on line 2",
        ),
        (
            "linked_account_id,slug,auth_type,key\nu,x,\"a\nb\",\"s3cr3t".to_owned(),
            "1@2:4 unclosed_quote a quote opens in the value of `key` on line 3",
        ),
        (
            "linked_account_id,slug,auth_type,key\nu,x".to_owned(),
            "field_count the row has 2 fields, and the header 4; the file ends in this row",
        ),
    ] {
        let told = native(&file);
        let last = told.last().unwrap();
        assert!(last.contains(expected) && !last.contains("s3cr3t"), "{last} for {expected}");
    }
    let told = native(&format!("{ROW}\n{}", &ROW[..ROW.len() - 9]));
    assert!(told[1].ends_with("; the file ends inside this row, so it was cut short"), "{told:?}");
    let header = "linked_account_id,slug,auth_type,key\n";
    for (row, is_told) in [
        ("u,x,k,s3cr3t", true),
        ("u,x,k,s3cr3t\n", false),
        ("u,x,k,\"s3cr3t\"", false),
        ("u,x,k,s3cr3t\r\n\r\n", false),
    ] {
        let rows = read(format!("{header}v,x,k,other\n{row}"), ReadOptions::default());
        let warnings: Vec<_> = rows.into_iter().map(|row| row.unwrap().content.unwrap().warnings).collect();
        assert_eq!(warnings[0], Vec::<String>::new());
        assert_eq!(
            warnings[1].iter().any(|one| one.contains("without a line break")),
            is_told,
            "{row:?}: {warnings:?}"
        );
    }
    // Without a final line break, but complete.
    assert_eq!(native(&format!("{ROW}\n{ROW}")).len(), 2);
}

#[test]
fn a_credential_is_left_as_it_is_written() {
    for auth_object in
        [r#"{"bot_token":"s3cr3t"}"#, r#"{"keybased":{"a key":1,"b":null,"c":[true]}}"#, r#"{"a":{},"b":{}}"#]
    {
        let row = format!(r#"{{"linked_account_id":"u","slug":"x","auth_object":{auth_object}}}"#);
        assert_eq!(native(&row), [format!("1@1 u x {auth_object}")]);
    }
}

#[test]
fn rows_can_be_read_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Rows::new(io::empty(), ReadOptions::default()));
}

#[test]
fn what_an_account_is_called_and_when_a_credential_was_written_is_read() {
    let row = ROW.replace("\"slug\"", "\"account_name\":\"Ada\",\"updated_at\":\"2024-05-06T07:08:09Z\",\"slug\"");
    assert_eq!(native(&row), [format!("1@1 {TOLD} Ada 2024-05-06T07:08:09.000Z")]);
    let row = row.replace("2024-05-06T07:08:09Z", "2024-05-06 07:08:09");
    assert_eq!(native(&row), [format!("1@1 {TOLD} Ada 2024-05-06T07:08:09.000Z")]);
    let warnings = read(&row, ReadOptions::default()).remove(0).unwrap().content.unwrap().warnings;
    assert_eq!(warnings, ["`updated_at` has no offset from UTC, and was read as UTC"]);
}

#[test]
fn what_is_packed_is_read_and_counted_and_hashed_as_it_was_sent() {
    let file = format!("{ROW}\n").repeat(10_000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut encoder, file.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let mut rows = Rows::new(Cursor::new(packed.clone()), ReadOptions::default());
    assert_eq!((rows.bytes_read(), rows.format()), (0, None));
    rows.next().unwrap().unwrap();
    assert_eq!(rows.format(), Some(RowFormat::Ndjson));
    assert_eq!(rows.by_ref().filter(|row| row.as_ref().unwrap().content.is_ok()).count(), 9_999);
    assert_eq!(rows.bytes_read(), packed.len() as u64);
    let digest = rows.finish().unwrap();
    // A reader that stops early gets the same digest.
    let mut rows = Rows::new(Cursor::new(packed.clone()), ReadOptions::default());
    rows.next().unwrap().unwrap();
    assert_eq!(rows.finish().unwrap(), digest);
    let told = told(&packed[..packed.len() - 20], ReadOptions::default());
    assert!(told.last().unwrap().starts_with("broken_packing"), "{:?}", told.last());
    assert!(told.len() > 1_000);
}

#[test]
fn a_source_that_fails_is_told_after_its_rows() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the line went dead"))
        }
    }
    let mut rows = Rows::new(Cursor::new(format!("{ROW}\n")).chain(Failing), ReadOptions::default());
    assert!(rows.next().unwrap().is_ok());
    assert_eq!(line(&rows.next().unwrap()), "unreadable the file could not be read: the line went dead");
    assert!(rows.next().is_none());
}

#[test]
fn an_endless_line_takes_no_more_memory_than_a_row() {
    // 64 MiB, in one line and in one field.
    for begin in ["{\"a\":\"", "[{\"a\":\"", "linked_account_id,slug,auth_type\n\""] {
        let file = Cursor::new(begin).chain(io::repeat(b'x').take(64 << 20)).chain(Cursor::new("\"\n"));
        let rows: Vec<_> = Rows::new(file, ReadOptions::default()).map(|row| line(&row)).collect();
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(rows[0].contains("row_too_large") || rows[0].contains("invalid_json"), "{rows:?}");
    }
}
