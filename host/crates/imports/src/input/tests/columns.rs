//! Columns and members: their names, and their mapping.

use super::*;

#[test]
fn a_header_that_cannot_do_is_told_once() {
    for (header, expected) in [
        ("a,b,c", "there is no column `linked_account_id`"),
        ("linked_account_id,auth_type", "there is no column `slug`"),
        (
            "linked_account_id,slug,token",
            "neither a column `auth_type` nor one `auth_object`; the file has `linked_account_id`, `slug`, `token`; say which is which: --map \
             auth_type:=keybased",
        ),
        (
            "linked_account_id,slug,auth_type,Gr\u{f6}\u{df}e",
            "the column `Gr\u{f6}\u{df}e` has no name that a field can have: map it to one, or leave it out by --map 'Gr\u{f6}\u{df}e='",
        ),
        ("linked_account_id,slug,auth_type,Slug", "the columns `slug` (2) and `Slug` (4) mean the same"),
        (
            "linked_account_id,slug,auth_type,token,Token,token",
            "the column `token` is there twice, as column 4 and column 6",
        ),
        ("linked_account_id,slug,auth_type,API Key,api_key", "`API Key` (4) and `api_key` (5) mean the same"),
        (
            "Customer No.,app,kind,key",
            "there is no column `linked_account_id`; there is no column `slug`; there is neither a column `auth_type` nor one `auth_object`; \
             the file has `Customer No.`, `app`, `kind`, `key`; say which is which: --map 'Customer No.=linked_account_id' --map app=slug --map \
             kind=auth_type",
        ),
        ("customer,slug,auth_type", "--map customer=linked_account_id"),
        ("linked_acount_id,slug,auth_type", "--map linked_acount_id=linked_account_id"),
        ("user_0,hubspot,oauth2,s3cr3t", "its first row looks like data"),
        ("user_0;hubspot;sk_live_s3cr3t1;x", "its first row looks like data"),
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
fn a_rule_is_about_a_column_whatever_its_case_and_separators() {
    let csv = "Customer ID;App;Secret Key;Note\nc1;stripe;s3cr3t;x\n";
    let rules = "customer_id=linked_account_id\napp=slug\nsecret-key=api_key\nNOTE=\nauth_type:=keybased";
    assert_eq!(told(csv, options(Preset::Native, rules)), [r#"1@2 c1 stripe {"keybased":{"api_key":"s3cr3t"}}"#]);
    // The exact name has priority.
    let csv = "linked_account_id;slug;key;Key\nc1;stripe;s3cr3t;x\n";
    let rules = "key=api_key\nKey=\nauth_type:=keybased";
    assert_eq!(told(csv, options(Preset::Native, rules)), [r#"1@2 c1 stripe {"keybased":{"api_key":"s3cr3t"}}"#]);
    let told = told("customer;app\nc;a\n", options(Preset::Native, "custmer=linked_account_id\nauth_type:=keybased"));
    assert!(
        told[0].contains("the map names a column `custmer`, which is not there; `customer` may be meant"),
        "{told:?}"
    );
}

#[test]
fn a_rule_for_a_column_that_is_not_there_is_refused_with_the_nearest_one() {
    let csv = "linked_account_id,slug,auth_type,api_key\nu,x,k,s3cr3t\n";
    for (rule, expected) in [
        (
            "apikye=token",
            "the file has `linked_account_id`, `slug`, `auth_type`, `api_key`; the map names a column `apikye`, which is not there; \
             `api_key` may be meant",
        ),
        ("x/comment=", "the map names a column `comment`, which is not there"),
        // A rule of one app applies to fields only, so this one applies to a column of that name.
        ("HubSpot/api_key=account_name", "which is not there"),
    ] {
        let told = told(csv, options(Preset::Native, rule));
        assert!(told.len() == 1 && told[0].starts_with("invalid_header"), "{told:?}");
        assert!(told[0].contains(expected) && !told[0].contains("s3cr3t"), "{told:?}");
    }
    // Members of JSON differ from row to row.
    assert_eq!(told(ROW, options(Preset::Native, "comment=")), [format!("1@1 {TOLD}")]);
}

#[test]
fn all_that_is_wrong_with_a_row_is_told_at_once_with_the_rules_to_mend_it() {
    let row = r#"{"customer":"c1","App":"stripe","credentials":{"keybased":{}},"comment":"x"}"#;
    let told_ = native(row);
    for part in [
        "`customer` is not known here; `linked_account_id` may be meant: --map customer=linked_account_id",
        "`App` is not known here; `slug` may be meant: --map App=slug",
        "`credentials` is not known here; `auth_object` may be meant: --map credentials=auth_object",
        "`comment` is not known here: leave it out by --map comment=",
    ] {
        assert!(told_[0].contains(part), "{part}: {told_:?}");
    }
    let row = r#"{"customer":"c1","app":"stripe","key":"s3cr3t"}"#;
    let told_ = told(row, options(Preset::CsvFlat, ""));
    for part in [
        "`linked_account_id` is missing; `slug` is missing",
        "`auth_type` is missing",
        "the row has `customer`, `app`, `key`; say which is which: --map customer=linked_account_id --map app=slug --map auth_type:=keybased",
    ] {
        assert!(told_[0].contains(part), "{part}: {told_:?}");
    }
}

#[test]
fn columns_of_a_file_of_failed_rows_are_not_read_and_its_guards_are_removed() {
    let csv = "linked_account_id,slug,auth_type,api_key,'=x,keyferry_row,keyferry_code,keyferry_detail\nu,x,keybased,'-s3cr3t,''=y,1,rejected,'=z\n";
    let rules = "=x=b";
    assert_eq!(told(csv, options(Preset::Native, rules)), [r#"1@2 u x {"keybased":{"api_key":"-s3cr3t","b":"'=y"}}"#]);
    let plain = csv.replace("keyferry_code", "keyferry_other").replace("'=x", "b");
    assert_eq!(native(&plain), [r#"1@2 u x {"keybased":{"api_key":"'-s3cr3t","b":"''=y"}}"#]);
    let json = ROW.replace("\"slug\"", "\"keyferry_code\":\"rejected\",\"slug\"");
    assert_eq!(native(&json), [format!("1@1 {TOLD}")]);
    let source = serde_json::json!({"keyferry_source": ROW, "keyferry_line": 3}).to_string();
    assert_eq!(native(&source), [format!("1@1 {TOLD}")]);
    let source = serde_json::json!({"keyferry_source": format!("{ROW}\u{fffd}")}).to_string();
    assert!(native(&source)[0].contains("invalid_encoding"));
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
    assert!(told(csv, ReadOptions::default())[0].contains("the column `api_key` is there twice"));
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
