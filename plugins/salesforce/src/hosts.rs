//! Which of Salesforce's hosts an address means.
//!
//! A My Domain host may have a partition in its name (<https://help.salesforce.com/s/articleView?id=xcloud.domain_name_partitioned_domains.htm>);
//! their names are the values of `DomainPartition` in
//! <https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_mydomainlog.htm>. The pages
//! that people see are at other hosts of the same organisation, told by `toLightningDomain` in `src/util/sfdcUrl.ts` of
//! <https://github.com/forcedotcom/sfdx-core>.

use keyferry_plugin::prelude::*;

/// Below these, and below a partition of them, organisations have their My Domain: the public cloud, the government's
/// (Defense), and that of China.
const DOMAINS: [(&str, &[&str]); 3] = [
    (
        "my.salesforce.com",
        &[
            "sandbox",
            "develop",
            "scratch",
            "demo",
            "free",
            "patch",
            "trailblaze",
            "stage",
            "test1",
            "test2",
            "sfdctest",
            "sfrestore",
        ],
    ),
    ("my.salesforce.mil", &["sandbox", "develop", "scratch"]),
    ("my.sfcrmproducts.cn", &["sandbox"]),
];

/// Where an organisation's pages are, and where its API is.
const PAGES: [(&str, &str); 4] = [
    ("lightning.force.com", "my.salesforce.com"),
    ("my.salesforce-setup.com", "my.salesforce.com"),
    ("lightning.crmforce.mil", "my.salesforce.mil"),
    ("lightning.sfcrmapps.cn", "my.sfcrmproducts.cn"),
];

/// The hosts of Salesforce's own site, and those where users log in. None of them is an organisation's.
const NOBODYS: [&str; 8] = ["login", "test", "www", "help", "trust", "status", "developer", "my"];

/// The patterns that cover every My Domain host.
pub(crate) fn patterns() -> impl Iterator<Item = String> {
    DOMAINS.into_iter().flat_map(|(domain, partitions)| {
        let partitioned = partitions.iter().map(move |partition| format!("*.{partition}.{domain}"));
        std::iter::once(format!("*.{domain}")).chain(partitioned)
    })
}

/// The My Domain host of an address, or of the pages of the same organisation.
fn my_domain(address: &Address) -> Option<String> {
    let moved = PAGES.into_iter().find_map(|(pages, api)| Some(format!("{}.{api}", address.below(pages)?)));
    let address = moved.map_or_else(|| address.clone(), |host| Address::read(&host));
    let is_known = DOMAINS.into_iter().any(|(domain, partitions)| match address.below(domain) {
        Some(labels) => match labels.split_once('.') {
            Some((_, partition)) => partitions.contains(&partition),
            None => true,
        },
        None => false,
    });
    is_known.then(|| address.host().to_owned())
}

/// Where the API of an organisation is: its My Domain, or one of the older instances such as `na1.salesforce.com`.
pub(crate) fn instance(url: &str) -> Result<String, Failure> {
    let address = Address::read(url);
    let is_old = address.label_below("salesforce.com").is_some_and(|label| !NOBODYS.contains(&label));
    let host = my_domain(&address).or_else(|| is_old.then(|| address.host().to_owned()));
    host.map(|host| format!("https://{host}")).ok_or_else(|| elsewhere("instance_url"))
}

/// Where a user, or an app for itself, signs in: at the place for all, or at the organisation's My Domain.
pub(crate) fn login(text: &str) -> Result<String, Failure> {
    let address = Address::read(text);
    match address.host() {
        "production" => Ok("login.salesforce.com".to_owned()),
        "sandbox" => Ok("test.salesforce.com".to_owned()),
        place @ ("login.salesforce.com" | "test.salesforce.com") => Ok(place.to_owned()),
        _ => my_domain(&address).ok_or_else(|| elsewhere("login_host")),
    }
}

fn elsewhere(field: &str) -> Failure {
    let advice = "give the organisation's My Domain, such as acme.my.salesforce.com: Setup > My Domain";
    Failure::wrong_tenant(format!("`{field}` names no host of Salesforce's API; {advice}")).field(field)
}
