//! AWS: access keys, long-lived or of a session.
//!
//! `GetCallerIdentity` of STS needs no permission, and nobody can take it away:
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>. Each partition has its own STS:
//! <https://docs.aws.amazon.com/general/latest/gr/sts.html>.

use keyferry_plugin::prelude::*;

struct Aws;

/// The regions whose keys the endpoint of all others does not know, with the host of their STS.
const APART: [(&str, &str); 5] = [
    ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
    ("us-gov-east-1", "sts.us-gov-east-1.amazonaws.com"),
    ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
    ("cn-northwest-1", "sts.cn-northwest-1.amazonaws.com.cn"),
    ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
];

impl Plugin for Aws {
    fn describe() -> App {
        let app = App::new("aws", "AWS")
            .about("Cloud computing of Amazon", &["cloud", "infrastructure"])
            .docs("https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html");
        let hosts = APART.map(|(_, host)| host).into_iter().chain(["sts.amazonaws.com"]);
        hosts.fold(app, |app, host| app.grant(Grant::host(host).post("/"))).auth(
            AuthType::keybased("Access key")
                .help("The access key of an IAM user, or the three values of a session.")
                .field(
                    Field::text("access_key_id", "Access key ID")
                        .required()
                        .pattern("^A[0-9A-Z]{15,127}$")
                        .help("IAM > Users > Security credentials > Access keys. It begins with AKIA, or ASIA for a session's.")
                        .example("AKIAIOSFODNN7EXAMPLE"),
                )
                .field(
                    Field::secret("secret_access_key", "Secret access key")
                        .required()
                        .help("Shown once, when the access key is made.")
                        .example("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                )
                .field(
                    Field::secret("session_token", "Session token")
                        .help("For the temporary keys of a session.")
                        .example("IQoJb3JpZ2luX2VjEXAMPLE"),
                )
                .field(
                    Field::text("region", "Region")
                        .default("us-east-1")
                        .pattern("(?i)^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$")
                        .help("The region to work in. It also tells the partition: `cn-`, `us-gov-` and `eusc-` are apart.")
                        .example("eu-central-1"),
                ),
        )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let (id, region) = (credential.text("access_key_id")?, credential.text("region")?.to_ascii_lowercase());
        if region.contains("-iso") {
            let detail = "the regions of AWS for secret and top secret work cannot be reached from the internet";
            return Err(Failure::not_verifiable(detail));
        }
        // The regions of a partition know the same keys: one that is not listed is asked for at another of its partition.
        let partition = ["us-gov-", "cn-", "eusc-"].into_iter().find(|beginning| region.starts_with(beginning));
        let apart = |is: &dyn Fn(&str) -> bool| APART.into_iter().find(|(apart, _)| is(apart));
        let found = apart(&|apart| apart == region)
            .or_else(|| apart(&|apart| partition.is_some_and(|beginning| apart.starts_with(beginning))));
        // The regions of the main partition share its endpoint, which is signed for as us-east-1.
        let (signed_for, host) = found.unwrap_or(("us-east-1", "sts.amazonaws.com"));
        let mut signature = SigV4::key(id, credential.secret("secret_access_key")?).scope(signed_for, "sts");
        if let Some(token) = credential.optional_secret("session_token") {
            signature = signature.session_token(token);
        }
        let response = Request::post(format!("https://{host}/"))
            .header("Accept", "application/json")
            .form_field("Action", "GetCallerIdentity")
            .form_field("Version", "2011-06-15")
            .sigv4(signature)
            .send()?;
        if response.status() == 200 {
            let told = response.json()?;
            let caller = |member: &str| format!("/GetCallerIdentityResponse/GetCallerIdentityResult/{member}");
            return Ok(Verified::new()
                .account_id(told.text(&caller("Account"))?)
                .display_name(told.text(&caller("Arn"))?)
                .config("region", region)
                .config("user_id", told.text(&caller("UserId"))?));
        }
        let problem = response.json()?;
        let detail = problem.said("AWS", &["/Error/Code"], &["/Error/Message"]);
        // A signature of another time is the signer's clock, though it is called as a wrong one is.
        let words = problem.optional_text("/Error/Message").unwrap_or_default();
        let is_late = words.starts_with("Signature expired") || words.starts_with("Signature not yet current");
        // <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>; some services leave out `Exception`.
        Err(match problem.text("/Error/Code")?.trim_end_matches("Exception") {
            "InvalidClientTokenId" => Failure::rejected(detail).fields(&["access_key_id", "session_token", "region"]),
            "SignatureDoesNotMatch" if !is_late => Failure::rejected(detail).field("secret_access_key"),
            "ExpiredToken" => Failure::rejected(detail).field("session_token"),
            "AccessDenied" | "NotAuthorized" | "OptInRequired" => Failure::insufficient_scope(detail),
            "Throttling" => Failure::rate_limited(response.retry_after(), detail),
            _ => Failure::unexpected(detail),
        })
    }
}

keyferry_plugin::export!(Aws);
