//! The kinds of findings. Their codes are stable: a script may name one.

use std::fmt;

use serde::Serialize;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It works, with a risk or a drawback.
    Warning,
    /// It does not work, or not safely.
    Error,
}

macro_rules! codes {
    ($($name:ident $code:literal $level:ident $title:literal $next:literal)*) => {
        /// A kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $title] $name),* }

        impl Code {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as text, such as `KF001`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// Severity of the code's findings.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level),* }
            }

            /// A short description of the kind.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// What to do next.
            pub fn next(self) -> &'static str {
                match self { $(Self::$name => $next),* }
            }
        }
    };
}

codes! {
    NotAComponent "KF001" Error "not a WebAssembly component"
        "build it with `keyferry plugin build`"
    ForbiddenImport "KF002" Error "an import from outside of the contract"
        "take out what needs it: a plugin may import keyferry:plugin/{secrets,http,clock,random,log} and nothing else"
    OtherContract "KF003" Error "built for another version of the contract"
        "build it again with this release's `keyferry plugin build`"
    NeedsWasi "KF004" Warning "imports WASI"
        "build it without, or tell operators that it needs `keyferry plugin grant --wasi sealed`, where nothing is behind it"
    TooLarge "KF005" Error "larger than servers take"
        "build it smaller; `keyferry plugin build` does what can be done for Rust"
    DoesNotCompile "KF006" Error "does not compile, or does not fit the contract's types"
        "build it again with this release's `keyferry plugin build`"
    NoDescription "KF007" Error "does not describe itself"
        "mend `describe`; what it logged is above"
    DescribeRequests "KF008" Error "`describe` asks for a request"
        "let `describe` answer without a request: it runs without grants"
    Unsteady "KF009" Error "describes itself differently each time"
        "let `describe` depend on nothing: not on the time, not on random bytes"
    WideGrant "KF010" Warning "asks for a wide grant"
        "name the host, and the path as far as it is fixed: operators read this before they grant it"
    UnreachableGrant "KF011" Error "asks for a host that no plugin reaches"
        "name a public host: addresses, this machine and names inside of a network are never dialled"
    LooseHost "KF012" Error "a field ends up in a host, and its pattern does not keep it there"
        "give the field a pattern for one label of a host name, such as `[a-z0-9][a-z0-9-]{0,62}`"
    NoWords "KF013" Warning "a label or help is missing"
        "say what it is and where to find it: people see this when they are asked for the value"
    LooksSecret "KF014" Error "a field looks secret and is not marked so"
        "mark it secret; if it is not one, call it something else: else it serves only where `keyferry plugin grant --reads-text` names the field"
    Explosive "KF015" Warning "a pattern that can take for ever elsewhere"
        "do not repeat what is repeated inside; Keyferry is safe from it, but forms that use the JSON Schema are not"
    BadExample "KF016" Error "an example or default that the field would refuse"
        "mend it, or the pattern"
    ReadsSecrets "KF017" Warning "asks to read secrets"
        "place handles in requests instead; operators seldom grant this"
    Ungranted "KF018" Error "`verify` asks for what `describe` does not ask to be granted"
        "add the grant to `describe`"
    NoProof "KF019" Error "calls a credential verified that no provider has seen"
        "return `verified` only where the provider answered that the credential works"
    BlamesCredential "KF020" Error "blames the credential for a provider that is down"
        "return `rejected` only where the provider said so; the SDK's `send` makes the right failure of the rest"
    NothingRequired "KF021" Warning "no field is required"
        "mark what cannot be left out, so that it is asked for before the provider is"
    NoSample "KF022" Warning "no credential could be made up"
        "give each field an `example` that fits it: what depends on `verify` was not looked at"
    Traps "KF023" Error "`verify` breaks down"
        "mend it; what it logged is above"
    LongHint "KF024" Error "a hint may show more of a secret than its kind"
        "anchor it at one end and name the few letters that matter, such as `^xox[bp]-`: servers refuse one that is not anchored, and show at most 12 characters and a third of the value"
    Steers "KF025" Error "asks for a request with a header or field that no plugin may set"
        "leave it out: the method is that of the request, and so are the URL and the host"
    SharedSuffix "KF026" Warning "a wildcard below a suffix that many owners share"
        "name the host, or more labels: anyone can get a name below such a suffix, and receive credentials there"
    PublicSuffix "KF027" Error "a wildcard below a public suffix"
        "name the host, or the domain below it: anyone can register a name below such a suffix, and receive credentials there"
    IgnoresRefusal "KF028" Error "calls a credential verified that the provider answered with 401"
        "look at the status of each response: on 401, return `rejected`"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A problem of a plugin, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Code of the finding.
    pub code: Code,
    /// Severity of the finding.
    pub level: Level,
    /// Where: `keybased.api_key`, a grant, an import.
    pub place: Option<String>,
    /// The finding in one sentence.
    pub message: String,
    /// What the author should do.
    pub next: &'static str,
}

impl Finding {
    pub(super) fn new(code: Code, place: impl Into<Option<String>>, message: impl Into<String>) -> Self {
        Self { code, level: code.level(), place: place.into(), message: message.into(), next: code.next() }
    }
}
