//! The rules of a map.

use super::super::mapping::{Mapping, Target};
use super::super::mapping_rules::secret_default;
use super::super::part::Part;

const RULES: &str = "# who\n customer = linked_account_id\nkey=api_key\nhubspot/key=access_token\na=b=api_url\n\
                     comment=\nuser.id=account_name\nslug:hubspot-prod=hubspot\nauth_type: apikey =keybased\n\
                     slug:=stripe\nsite:=a=b\n";

fn field(name: &str) -> Target {
    Target::Field(name.parse().unwrap())
}

#[test]
fn each_kind_of_rule_says_what_things_are_called_here() {
    let mapping: Mapping = RULES.parse().unwrap();
    assert_eq!(mapping.column("customer"), Some(&Target::Part(Part::Account)));
    assert_eq!(mapping.column("key"), Some(&field("api_key")));
    assert_eq!(mapping.column_of("hubspot", "key"), Some(&field("access_token")));
    assert_eq!(mapping.column_of("stripe", "key"), None);
    assert_eq!(mapping.column("a=b"), Some(&field("api_url")));
    assert_eq!(mapping.column("comment"), Some(&Target::Nothing));
    let spelled: Mapping = "a=Linked Account ID\nb=authType\nc=accountName2".parse().unwrap();
    assert_eq!(spelled.column("a"), Some(&Target::Part(Part::Account)));
    assert_eq!(spelled.column("b"), Some(&Target::Part(Part::AuthType)));
    assert_eq!(spelled.column("c"), Some(&field("accountName2")));
    assert!(mapping.looks_into("user") && !mapping.looks_into("use"));
    assert_eq!(mapping.sources(Part::Account).collect::<Vec<_>>(), ["customer"]);
    assert_eq!((mapping.slug("hubspot-prod"), mapping.slug("hubspot")), (Some("hubspot"), None));
    assert_eq!(mapping.auth_type("apikey"), Some("keybased"));
    assert_eq!(mapping.default_of(Part::Slug).unwrap().expose(), "stripe");
    let fields = mapping.default_fields("acme").map(|(name, value, own)| (name.as_str(), value.expose(), own));
    assert_eq!(fields.collect::<Vec<_>>(), [("site", "a=b", false)]);
}

#[test]
fn case_and_separators_are_free_where_one_rule_fits() {
    let rules = "customer_no=linked_account_id\nuser.mail=account_name\na_b=x\na-b=y\nhubspot/key=access_token\n\
                 slug:stripe-prod=stripe\nauth_type:api_key=keybased\ndatadog/site:=datadoghq.eu\nslug:x-y=one\nslug:x_y=two";
    let mapping: Mapping = rules.parse().unwrap();
    let known = |path: &str| mapping.known_as(path, |other| other == "user.mail.x").map(str::to_owned);
    assert_eq!(known("customerNo").as_deref(), Some("customer_no"));
    assert_eq!(known("User").as_deref(), Some("user"));
    assert_eq!(known("user.Mail").as_deref(), Some("user.mail"));
    let guessed: Mapping = "HubSpot/key=access_token\nKey/Secret=api_key".parse().unwrap();
    assert_eq!(guessed.column_of("hubspot", "key"), Some(&field("access_token")));
    assert_eq!(guessed.column("Key/Secret"), Some(&field("api_key")));
    assert_eq!(guessed.columns().collect::<Vec<_>>(), ["HubSpot/key", "Key/Secret"]);
    let marked: Mapping = "\u{feff}# who\r\ncustomer=slug\r\n".parse().unwrap();
    assert_eq!(marked.column("customer"), Some(&Target::Part(Part::Slug)));
    for path in ["customer_no", "user", "usermail", "A B", "", "user.mail.X"] {
        assert_eq!(known(path), None, "{path}");
    }
    assert_eq!(mapping.known_as("customerNo", |other| other == "customer_no"), None, "it is another member");
    for slug in ["hubspot", "HubSpot", "Hub Spot", "hub-spot"] {
        assert_eq!(mapping.column_of(slug, "key"), Some(&field("access_token")), "{slug}");
    }
    assert_eq!(mapping.default_fields("DataDog").count(), 1);
    assert_eq!((mapping.slug("Stripe PROD"), mapping.slug("stripeprod")), (Some("stripe"), None));
    assert_eq!((mapping.slug("X Y"), mapping.auth_type("API Key")), (None, Some("keybased")));
}

#[test]
fn a_default_with_a_secret_is_known_by_its_name() {
    for (rule, name) in [
        ("api_key:=x", Some("api_key")),
        ("stripe/api_key:=x", Some("stripe/api_key")),
        ("note:=sk_live_0123456789", Some("note")),
        ("datadog/site:=datadoghq.eu", None),
        ("slug:=stripe", None),
        ("linked_account_id:=user_1", None),
        ("key=api_key", None),
    ] {
        assert_eq!(secret_default(rule), name, "{rule}");
    }
}

#[test]
fn toml_says_the_same() {
    let toml = "[columns]\ncustomer = \"linked_account_id\"\n\"hubspot/key\" = \"access_token\"\ncomment = \"\"\n\
                [slugs]\nhubspot-prod = \"hubspot\"\n[auth_types]\napikey = \"keybased\"\n[defaults]\nslug = \"stripe\"\n";
    let mapping: Mapping = toml.parse().unwrap();
    assert_eq!(mapping.column("customer"), Some(&Target::Part(Part::Account)));
    assert_eq!(mapping.column_of("hubspot", "key"), Some(&field("access_token")));
    assert_eq!(mapping.slug("hubspot-prod"), Some("hubspot"));
    assert_eq!(mapping.default_of(Part::Slug).unwrap().expose(), "stripe");
}

#[test]
fn what_is_no_rule_is_told_with_its_number() {
    for (text, rule, message) in [
        ("a=slug\nb", 2, "column=field"),
        ("=slug", 1, "empty"),
        ("a=not a field", 1, "a field name must be"),
        ("a=slug\n#\na=auth_type", 3, "mapped twice"),
        ("hubspot/a=slug", 1, "a rule for one app"),
        ("slug:a=B C", 1, "a slug must be"),
        ("auth_type:=A", 1, "an auth type must be"),
        ("updated_at:=x", 1, "no default"),
        ("linked_account_id:=", 1, "a linked account"),
        ("Acme/site:=x", 1, "a slug must be"),
        ("acme/slug:=x", 1, "sets a field or `auth_type`"),
        ("acme/site:=a\nacme/site:=b", 2, "the default `acme/site:=` is given twice"),
        ("a=key\nb=key", 2, "two rules say what `key` is: `a=key` and `b=key`"),
        ("x/a=key\nb=key\ny/c=key\nx/d=key", 4, "two rules say what `key` is: `x/a=key` and `x/d=key`"),
        ("a=slug\nb=slug", 2, "two rules say what `slug` is: `a=slug` and `b=slug`"),
        ("site:=", 1, "empty"),
        ("site:=a\nsite:=b", 2, "twice"),
        (":=a", 1, "needs a target"),
        ("[columns]\na = 1\n", 1, "string"),
        ("[columns]\na.b = \"slug\"\n", 1, "needs quotes"),
        ("[column]\na = \"slug\"\n", 1, "sections are"),
        ("[columns\n", 1, "line 1 is not TOML"),
    ] {
        let wrong = text.parse::<Mapping>().unwrap_err();
        assert!(wrong.rule == rule && wrong.message.contains(message), "{text}: {wrong}");
    }
}

#[test]
fn a_default_is_not_printed() {
    let mapping: Mapping = "api_key:=s3cr3t".parse().unwrap();
    assert!(!format!("{mapping:?}").contains("s3cr3t"));
}
