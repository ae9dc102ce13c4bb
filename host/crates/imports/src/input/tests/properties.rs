//! Properties of any file.

use proptest::prelude::*;

use super::*;

/// The parts of random files, including those that are hard to parse.
const BITS: [&[u8]; 34] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\"",
    b":",
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r\n",
    b" ",
    b"\\",
    b"\\u00",
    b"\xff",
    b"\xc3\xa4",
    b"\xef\xbb\xbf",
    b"1",
    b"-0.5e3",
    b"true",
    b"null",
    b"items",
    b"\"items\":[",
    b"linked_account_id",
    b"slug",
    b"auth_type",
    b"auth_object",
    b"{}",
    b"\"linked_account_id\":\"u\"",
    b"linked_account_id,slug,auth_type,a\n",
    b"credentials",
    b"\0",
    br#"{"linked_account_id":"u","slug":"x","auth_object":{"k":{"a":"b"}}}"#,
];

fn file() -> impl Strategy<Value = Vec<u8>> {
    let bit =
        prop_oneof![9 => (0..BITS.len()).prop_map(|n| BITS[n].to_vec()), 1 => prop::collection::vec(any::<u8>(), 1..4)];
    prop::collection::vec(bit, 0..60).prop_map(|bits| bits.concat())
}

fn packed(file: &[u8], packing: u8) -> Vec<u8> {
    match packing {
        0 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            io::Write::write_all(&mut encoder, file).unwrap();
            encoder.finish().unwrap()
        }
        1 => ruzstd::encoding::compress_to_vec(file, ruzstd::encoding::CompressionLevel::Fastest),
        _ => file.to_vec(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_file_gives_the_same_whatever_pieces_it_comes_in(
        file in file(),
        packing in 0_u8..4,
        preset in prop::sample::select(Preset::ALL.to_vec()),
        sizes in prop::collection::vec(1_usize..40, 1..6),
    ) {
        let bytes = packed(&file, packing);
        let options = ReadOptions { max_row: 256, ..options(preset, "a=api_key\nslug:x=y") };
        let whole = told(&bytes, options.clone());
        let mut rows = Rows::new(Pieces::new(&bytes, &sizes), options.clone());
        let pieces: Vec<_> = rows.by_ref().map(|row| line(&row)).collect();
        prop_assert_eq!(&whole, &pieces);
        let digest = Rows::new(Cursor::new(bytes), options).finish().unwrap();
        prop_assert_eq!(rows.finish().unwrap(), digest);
    }

    #[test]
    fn rows_that_were_written_are_read_back_from_each_format(
        rows in prop::collection::vec(("[a-z_@.]{1,20}", "[a-z][a-z0-9-]{0,9}", "\\PC{1,30}", "[ -~\n\r\"]{1,30}"), 0..12),
    ) {
        let mut expected = Vec::new();
        let (mut lines, mut items, mut csv) = (String::new(), Vec::new(), "linked_account_id,slug,auth_type,a,b\n".to_owned());
        for (account, slug, a, b) in &rows {
            let json = serde_json::json!({
                "linked_account_id": account, "slug": slug, "auth_object": { "keybased": { "a": a, "b": b } },
            });
            expected.push((account.clone(), slug.clone(), json["auth_object"].clone()));
            lines.push_str(&format!("{json}\n"));
            items.push(json);
            let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            csv.push_str(&format!("{account},{slug},keybased,{},{}\r\n", quoted(a), quoted(b)));
        }
        let list = serde_json::to_string(&items).unwrap();
        let pretty = serde_json::to_string_pretty(&serde_json::json!({ "rows": items })).unwrap();
        for file in [lines, list, pretty, csv] {
            let seen: Vec<_> = read(&file, ReadOptions::default())
                .into_iter()
                .map(|row| row.unwrap().content.unwrap())
                .map(|row| (row.account.to_string(), row.slug, serde_json::from_str(&plain(&row.auth_object)).unwrap()))
                .collect();
            prop_assert_eq!(&seen, &expected, "{}", file);
        }
    }
}
