use crate::bindings::exports::keyferry::plugin::app as wit;
use crate::bindings::keyferry::plugin::http::Method;

/// Requests to one host, or to the hosts of one pattern, that a plugin asks to be allowed.
///
/// ```
/// # use keyferry_plugin::prelude::*;
/// Grant::host("api.acme.example").get("/v1/me").post("/oauth/token");
/// Grant::host("*.acme.example").get("/api/v2/agents/me");
/// ```
pub struct Grant {
    host: String,
    paths: Vec<(String, Vec<Method>)>,
}

impl Grant {
    /// A host, or a pattern whose first label is `*`, which stands for exactly one label: `*.example.com` covers
    /// `a.example.com`, not `example.com` and not `a.b.example.com`. A port other than 443 is written `host:port`.
    ///
    /// `{base_url}` is the host, and the port, of the URL in the credential's field of that name, for apps that
    /// customers host themselves: the credential can be sent only to the server that it was given for. `api.{base_url}`
    /// is the host with that label before it.
    pub fn host(host: &str) -> Self {
        Self { host: host.to_owned(), paths: Vec::new() }
    }

    /// GET of paths that start with `prefix`, segment by segment: `/v1` covers `/v1` and `/v1/x`, not `/v10`.
    #[must_use]
    pub fn get(self, prefix: &str) -> Self {
        self.method(Method::Get, prefix)
    }

    /// HEAD of paths that start with `prefix`.
    #[must_use]
    pub fn head(self, prefix: &str) -> Self {
        self.method(Method::Head, prefix)
    }

    /// POST to paths that start with `prefix`.
    #[must_use]
    pub fn post(self, prefix: &str) -> Self {
        self.method(Method::Post, prefix)
    }

    /// PUT to paths that start with `prefix`.
    #[must_use]
    pub fn put(self, prefix: &str) -> Self {
        self.method(Method::Put, prefix)
    }

    /// PATCH of paths that start with `prefix`.
    #[must_use]
    pub fn patch(self, prefix: &str) -> Self {
        self.method(Method::Patch, prefix)
    }

    /// DELETE of paths that start with `prefix`.
    #[must_use]
    pub fn delete(self, prefix: &str) -> Self {
        self.method(Method::Delete, prefix)
    }

    fn method(mut self, method: Method, prefix: &str) -> Self {
        match self.paths.iter_mut().find(|(path, _)| path == prefix) {
            Some((_, methods)) => methods.push(method),
            None => self.paths.push((prefix.to_owned(), vec![method])),
        }
        self
    }

    /// One grant of the contract for each path.
    pub(crate) fn into_wit(self) -> impl Iterator<Item = wit::Grant> {
        let Self { host, paths } = self;
        paths.into_iter().map(move |(path_prefix, methods)| wit::Grant { host: host.clone(), methods, path_prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_one_path_share_a_grant() {
        let grants: Vec<_> = Grant::host("a.example").get("/x").post("/y").head("/x").into_wit().collect();
        let [x, y] = grants.as_slice() else { panic!("{grants:?}") };
        assert_eq!((x.path_prefix.as_str(), x.methods.as_slice()), ("/x", [Method::Get, Method::Head].as_slice()));
        assert_eq!((y.path_prefix.as_str(), y.methods.as_slice()), ("/y", [Method::Post].as_slice()));
        assert!(grants.iter().all(|grant| grant.host == "a.example"));
    }
}
