//! Concerns that an operator should know about the hosts of a grant before granting it.
//!
//! Which suffixes are shared comes from the Public Suffix List (<https://publicsuffix.org>) that is compiled in: anyone
//! can register a name below `com` or `co.uk`, and anyone with an account at the provider gets a name below `github.io`
//! or `s3.amazonaws.com`.

use std::fmt;
use std::net::IpAddr;

use psl::{List, Psl as _, Type};

use super::grant::Grant;
use super::host_pattern::HostPattern;

/// Suffixes that the list has as shared although the provider itself serves every name below.
///
/// - `myshopify.com`: Shopify gives out the names, and its servers serve all paths; those of a shop's apps are below
///   `/apps`, which no grant for `/admin/api` covers.
const ANSWERED_BY_PROVIDER: [&str; 1] = ["myshopify.com"];
/// Suffixes below which anyone can get a name, and that the list lacks. `amazonaws.com` has names below it, such as
/// `s3.amazonaws.com`, with paths of all its customers.
const ALSO_SHARED: [&str; 55] = [
    "000webhostapp.com",
    "amazonaws.com",
    "app.github.dev",
    "azurecontainerapps.io",
    "b-cdn.net",
    "beeceptor.com",
    "bore.pub",
    "burpcollaborator.net",
    "cloudapp.azure.com",
    "codesandbox.io",
    "core.windows.net",
    "database.windows.net",
    "devtunnels.ms",
    "dfs.core.windows.net",
    "documents.azure.com",
    "firebaseio.com",
    "free.app",
    "free.beeceptor.com",
    "ghost.io",
    "github.dev",
    "gitpod.io",
    "glitch.me",
    "googleusercontent.com",
    "infinityfreeapp.com",
    "interact.sh",
    "koyeb.app",
    "loca.lt",
    "localhost.run",
    "m.pipedream.net",
    "mockapi.io",
    "neocities.org",
    "nip.io",
    "oast.fun",
    "oast.live",
    "oast.me",
    "oast.online",
    "oast.pro",
    "oast.site",
    "oastify.com",
    "pagekite.me",
    "pipedream.net",
    "queue.core.windows.net",
    "r2.cloudflarestorage.com",
    "requestbin.net",
    "serveo.net",
    "sslip.io",
    "stackblitz.io",
    "storage.googleapis.com",
    "table.core.windows.net",
    "tumblr.com",
    "vault.azure.net",
    "vercel.sh",
    "webhook.site",
    "wordpress.com",
    "xip.io",
];
/// Shared suffixes with a label for a region between the suffix and the owners' names.
const BY_REGION: [&str; 4] = ["azurecontainerapps.io", "cloudapp.azure.com", "devtunnels.ms", "web.core.windows.net"];
/// Last labels of names that exist inside of a machine, a network or a cluster only, or that no public resolver answers.
const INSIDE: [&str; 22] = [
    "cluster",
    "consul",
    "corp",
    "docker",
    "domain",
    "home",
    "host",
    "intern",
    "internal",
    "intra",
    "intranet",
    "invalid",
    "kubernetes",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "node",
    "onion",
    "private",
    "svc",
    "workgroup",
];
/// The last label of names for documentation, which no resolver answers, and which examples may contain.
const EXAMPLE: &str = "example";

/// Something about the hosts that a grant covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostConcern {
    /// The pattern `*`.
    AnyHost,
    /// A pattern such as `*.co.uk`.
    PublicSuffix,
    /// A pattern such as `*.github.io`.
    SharedSuffix,
    /// An address, or a name that does not exist on the public internet.
    Inside,
}

impl fmt::Display for HostConcern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyHost => "any host in the world, so a credential could be sent anywhere",
            Self::PublicSuffix => "anyone can register a name below this public suffix",
            Self::SharedSuffix => "many owners share this suffix: anyone can get a name below it",
            Self::Inside => "it is an address, or a name inside of a machine, a network or a cluster",
        })
    }
}

/// A requested or granted line that an operator should look at twice.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct GrantConcern {
    /// The requested or granted line.
    #[schema(value_type = String)]
    pub request: Grant,
    /// What it opens, in words.
    pub concern: String,
}

impl GrantConcern {
    /// The concerns of these grants; a grant without one is left out.
    pub fn of(grants: &[Grant]) -> Vec<Self> {
        let one = |grant: &Grant| Some(Self { request: grant.clone(), concern: grant.host.concern()?.to_string() });
        grants.iter().filter_map(one).collect()
    }
}

impl HostPattern {
    /// The concern about the covered hosts, if any. A pattern of a credential's field has none: the value comes with the credential.
    pub fn concern(&self) -> Option<HostConcern> {
        if self.is_any() {
            return Some(HostConcern::AnyHost);
        }
        if self.field().is_some() {
            return None;
        }
        let text = self.to_string();
        let name = match text.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &text,
        };
        match name.strip_prefix("*.") {
            Some(suffix) => of_suffix(suffix),
            None => is_inside(name).then_some(HostConcern::Inside),
        }
    }
}

fn of_suffix(suffix: &str) -> Option<HostConcern> {
    if ANSWERED_BY_PROVIDER.contains(&suffix) {
        return None;
    }
    // The name of a cluster's domain such as `svc` has no dot.
    if last_label(suffix).is_some_and(|last| INSIDE.contains(&last)) || is_home(suffix) {
        return Some(HostConcern::Inside);
    }
    let is_of_region = suffix.split_once('.').is_some_and(|(_, parent)| BY_REGION.contains(&parent));
    if is_of_region || ALSO_SHARED.contains(&suffix) {
        return Some(HostConcern::SharedSuffix);
    }
    let found = List.suffix(suffix.as_bytes());
    match found {
        Some(found) if found == suffix.as_bytes() => match found.typ() {
            Some(Type::Private) => Some(HostConcern::SharedSuffix),
            _ => Some(HostConcern::PublicSuffix),
        },
        Some(found) if !found.is_known() && last_label(suffix) != Some(EXAMPLE) => Some(HostConcern::Inside),
        // A rule such as `*.compute.amazonaws.com` makes each name below a suffix, and the wildcard covers those.
        _ => is_parent_of_suffixes(suffix).then_some(HostConcern::SharedSuffix),
    }
}

/// Whether any name right below is itself a suffix.
fn is_parent_of_suffixes(name: &str) -> bool {
    let below = format!("keyferry-{}.{name}", "x".repeat(8));
    List.suffix(below.as_bytes()).is_some_and(|found| found.is_known() && found == below.as_bytes())
}

/// Whether a host is one that egress never dials.
fn is_inside(name: &str) -> bool {
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    if literal.parse::<IpAddr>().is_ok() || !name.contains('.') || is_home(name) {
        return true;
    }
    let last = last_label(name);
    let is_known = List.suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known());
    last.is_some_and(|last| INSIDE.contains(&last)) || (!is_known && last != Some(EXAMPLE))
}

/// `home.arpa` (RFC 8375), and the names that addresses are looked up by.
fn is_home(name: &str) -> bool {
    last_label(name) == Some("arpa")
}

fn last_label(name: &str) -> Option<&str> {
    name.rsplit('.').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concern(host: &str) -> Option<HostConcern> {
        host.parse::<HostPattern>().unwrap_or_else(|error| panic!("{host}: {error}")).concern()
    }

    #[test]
    fn a_wildcard_over_a_suffix_that_many_share_is_told_from_one_over_an_owners_names() {
        for host in [
            "*.github.io",
            "*.workers.dev",
            "*.pages.dev",
            "*.s3.amazonaws.com",
            "*.s3.eu-central-1.amazonaws.com",
            "*.blob.core.windows.net",
            "*.queue.core.windows.net",
            "*.herokuapp.com",
            "*.vercel.app",
            "*.netlify.app",
            "*.web.app",
            "*.firebaseapp.com",
            "*.appspot.com",
            "*.run.app",
            "*.cloudfront.net",
            "*.azurewebsites.net",
            "*.ngrok.io",
            "*.ngrok-free.app",
            "*.trycloudflare.com",
            "*.gitlab.io",
            "*.fly.dev",
            "*.onrender.com",
            "*.webhook.site",
            "*.eastus.cloudapp.azure.com",
            "*.vault.azure.net",
            "*.duckdns.org",
            "*.execute-api.us-east-1.amazonaws.com",
            "*.lambda-url.us-east-1.on.aws",
            "*.GitHub.io:8443",
            "*.amazonaws.com",
            "*.googleapis.com",
            "*.us-west-2.compute.amazonaws.com",
            "*.r2.cloudflarestorage.com",
            "*.z6.web.core.windows.net",
            "*.servicebus.windows.net",
            "*.azurefd.net",
            "*.firebaseio.com",
            "*.cloudfunctions.net",
            "*.deno.dev",
            "*.replit.app",
            "*.up.railway.app",
            "*.app.github.dev",
            "*.euw.devtunnels.ms",
            "*.ts.net",
            "*.pipedream.net",
            "*.oastify.com",
            "*.nip.io",
        ] {
            assert_eq!(concern(host), Some(HostConcern::SharedSuffix), "{host}");
        }
        for host in ["*.k12.ca.us", "*.gouv.fr", "*.sch.uk", "*.nsw.edu.au", "*.kawasaki.jp", "*.ck"] {
            if let Ok(pattern) = host.parse::<HostPattern>() {
                assert!(
                    matches!(pattern.concern(), Some(HostConcern::PublicSuffix | HostConcern::SharedSuffix)),
                    "{host}: {:?}",
                    pattern.concern()
                );
            }
        }
        for host in [
            "*.zendesk.com",
            "*.api.mailchimp.com",
            "*.my.salesforce.com",
            "*.suitetalk.api.netsuite.com",
            "*.myshopify.com",
            "*.acme.github.io",
            "*.acme.co.uk",
            "*.acme.example",
            "api.acme.com",
            "acme.github.io",
            "{base_url}",
            "bücher.de",
        ] {
            assert_eq!(concern(host), None, "{host}");
        }
        assert_eq!(concern("*"), Some(HostConcern::AnyHost));
        for host in ["*.com", "*.co.uk", "*.svc"] {
            assert!(host.parse::<HostPattern>().is_err(), "{host} is no pattern at all");
        }
    }

    #[test]
    fn names_inside_of_a_network_or_cluster_and_addresses_are_told() {
        for host in [
            "kubernetes.default.svc",
            "*.default.svc",
            "vault.default.svc.cluster.local",
            "*.svc.cluster.local",
            "*.cluster.local",
            "vault.internal",
            "*.ec2.internal",
            "metadata.google.internal",
            "nas.local",
            "printer.lan",
            "*.acme.lan",
            "router.home.arpa",
            "*.home.arpa",
            "a.localhost",
            "*.a.localhost",
            "localhost",
            "vault",
            "vault:8200",
            "db.corp",
            "*.acme.corp",
            "consul.service.consul",
            "host.docker.internal",
            "127.0.0.1:8443",
            "[::1]",
            "10.0.0.1",
            "*.acme.intranet",
            "x.onion",
            "wiki.acme.home",
            "1.0.0.127.in-addr.arpa",
            "acme.nosuchtld",
        ] {
            assert_eq!(concern(host), Some(HostConcern::Inside), "{host}");
        }
    }
}
