//! Keyferry's own rows in each format.

use super::*;
use crate::jobs::input::RowFormat;

fn native(file: &str) -> Vec<String> {
    told(file, ReadOptions::default())
}

const ROW: &str =
    r#"{"linked_account_id":"user_1","slug":"hubspot","auth_object":{"oauth2":{"access_token":"s3cr3t"}}}"#;
const TOLD: &str = r#"user_1 hubspot {"oauth2":{"access_token":"s3cr3t"}}"#;

#[test]
fn a_row_is_the_same_in_each_format() {
    let csv = "linked_account_id,slug,auth_type,access_token\nuser_1,hubspot,oauth2,s3cr3t\n";
    for (file, line) in [
        (ROW.to_owned(), 1),
        (format!("\u{feff}\r\n\r\n{ROW}\r\n"), 3),
        (format!("[\n{ROW}\n]"), 2),
        (format!("{{\"items\":[{ROW}],\"next\":null}}"), 1),
        (ROW.replace(",\"slug\"", ",\n\"slug\""), 1),
        (csv.to_owned(), 2),
        (format!("\u{feff}{}", csv.replace(',', ";").replace('\n', "\r\n")), 2),
        (csv.replace(',', "\t"), 2),
        (csv.replace("linked_account_id", "\"Linked Account ID\""), 2),
        ("linked_account_id,slug,auth_object\nuser_1,hubspot,\"{\"\"oauth2\"\":{\"\"access_token\"\":\"\"s3cr3t\"\"}}\"".into(), 2),
    ] {
        assert_eq!(native(&file), [format!("1@{line} {TOLD}")], "{file}");
    }
    for nothing in ["", "\n\r\n \n", "[]", "linked_account_id,slug,auth_type\n", "\u{feff}"] {
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
            "invalid_value `linked_account_id` is none: a linked account id must",
        ),
        (
            r#"{"linked_acount_id":"u"}"#,
            "unknown_column `linked_acount_id` is not known here; `linked_account_id` may be meant",
        ),
        (r#"{"s3cr3t-v4lue":"u"}"#, "unknown_column `***` is not known here (this name is not repeated here"),
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
        // In a list, the same.
        if row.ends_with('}') {
            let told = native(&format!("[{row},\n{ROW}]"));
            assert_eq!(told.last(), Some(&format!("2@2 {TOLD}")), "{row}");
        }
    }
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
    let rows: [(&[u8], &str); 9] = [
        (large.as_bytes(), "row_too_large the row is larger than 1048576 bytes"),
        (b"u,x\n", "1@2 field_count the row has 2 fields, and the header 6"),
        (b"u,x,oauth2,,s3cr3t,,\n", "field_count the row has 7 fields, and the header 6"),
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
    assert!(told[1].starts_with("2@3 unclosed_quote") && told.len() == 2, "{told:?}");
}

#[test]
fn a_header_that_cannot_do_is_told_once() {
    for (header, expected) in [
        ("a,b,c", "there is no column `linked_account_id`"),
        ("linked_account_id,auth_type", "there is no column `slug`"),
        (
            "linked_account_id,slug,token",
            "neither a column `auth_type` nor one `auth_object`; there are linked_account_id, slug, token",
        ),
        ("linked_account_id,slug,auth_type,s3cr3t v4lue", "column 4: `***` is no name that a field can have"),
        ("linked_account_id,slug,auth_type,slug", "column 4 is there before"),
        ("linked_account_id,\"slug", "it has no end"),
    ] {
        let told = native(&format!("{header}\nuser_1,hubspot,oauth2,s3cr3t\nuser_2,hubspot,oauth2,s3cr3t\n"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("invalid_header") && told[0].contains(expected), "{told:?}");
        assert!(!told[0].contains("s3cr3t"));
    }
    assert!(native("{\"a\":1}]")[0].contains("invalid_json"));
    assert!(told("a,b\n", options(Preset::Nango, ""))[0].starts_with("unsupported_format"));
}

#[test]
fn a_mapping_says_what_things_are_called() {
    let csv = "customer;app;kind;key;note\nc1;HubSpot;token;s3cr3t;x\nc2;;;s3cr3t;\n";
    let rules = "customer=linked_account_id\napp=slug\nkind=auth_type\nkey=api_key\nhubspot/key=access_token\nnote=\n\
                 slug:HubSpot=hubspot\nslug:=stripe\nauth_type:token=keybased\nauth_type:=keybased\nregion:=eu\naccount_name:=n";
    let expected = [
        r#"1@2 c1 hubspot {"keybased":{"access_token":"s3cr3t","region":"eu"}} n"#,
        r#"2@3 c2 stripe {"keybased":{"api_key":"s3cr3t","region":"eu"}} n"#,
    ];
    assert_eq!(told(csv, options(Preset::CsvFlat, rules)), expected);
    let json = concat!(
        r#"{"customer":"c1","app":"HubSpot","kind":"token","key":"s3cr3t","note":"x"}"#,
        "\n",
        r#"{"customer":"c2","key":"s3cr3t"}"#
    );
    let expected = expected.map(|row| row.replace("@2", "@1").replace("@3", "@2"));
    assert_eq!(told(json, options(Preset::CsvFlat, rules)), expected);
    assert_eq!(told(json, options(Preset::Native, rules)), expected);
    let nested = r#"{"user":{"id":7,"mail":"x"},"slug":"hubspot","auth_object":{"key":{"apiKey":"s3cr3t"}},"x":[1]}"#;
    let rules = "user.id=linked_account_id\nx=\napiKey=access_token\nauth_type:key=keybased";
    assert_eq!(
        told(nested, options(Preset::Native, rules)),
        [r#"1@1 7 hubspot {"keybased":{"access_token":"s3cr3t"}}"#]
    );
}

#[test]
fn what_is_there_twice_is_no_good() {
    let csv = "linked_account_id,slug,auth_type,api_key,api_key\nu,x,k,a,b\n";
    assert!(told(csv, ReadOptions::default())[0].contains("is there before"));
    let json = r#"{"linked_account_id":"u","slug":"x","auth_object":{},"a":"s3cr3t"}"#;
    let told = told(json, options(Preset::Native, "a=api_key"));
    assert!(told[0].contains("there are fields beside it") && told[0].contains("(u x)"), "{told:?}");
}

#[test]
fn a_part_that_a_rule_names_beats_one_that_its_own_name_makes_it() {
    let rules = "c=slug\ncustomer=linked_account_id";
    for file in [
        r#"{"linked_account_id":"u","customer":"v","slug":"x","c":"y","auth_type":"k","api_key":"a"}"#,
        r#"{"customer":"v","c":"y","auth_type":"k","api_key":"a","linked_account_id":"u","slug":"x"}"#,
        "linked_account_id,customer,slug,c,auth_type,api_key\nu,v,x,y,k,a\n",
        "c,customer,slug,linked_account_id,auth_type,api_key\ny,v,x,u,k,a\n",
    ] {
        let told = told(file, options(Preset::CsvFlat, rules));
        assert!(told[0].ends_with(r#" v y {"k":{"api_key":"a"}}"#), "{told:?}");
    }
    let empty = "linked_account_id,customer,slug,auth_type,api_key\nu,,x,k,a\n";
    assert!(told(empty, options(Preset::CsvFlat, "customer=linked_account_id"))[0].contains(" u x "));
    let for_app = "linked_account_id,slug,auth_type,api_key,account_name\nu,x,k,a,n\nu,z,k,a,n\n";
    let told = told(for_app, options(Preset::CsvFlat, "x/account_name=realm"));
    assert_eq!(
        told,
        [r#"1@2 u x {"k":{"api_key":"a","realm":"n"}}"#.to_owned(), r#"2@3 u z {"k":{"api_key":"a"}} n"#.to_owned()]
    );
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
    // Whoever stops early gets the same.
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
