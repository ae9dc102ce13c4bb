//! Where the database is, and how it is reached.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use zeroize::Zeroizing;

use super::lease::Access;
use super::passfile;
use crate::{Incomplete, StoreError, StoreResult};
use keyferry_service_client::tls_config;
use keyferry_types::bounded_file::{self, Content, LINE};
use keyferry_types::path_text::ShowPath as _;

/// The port of PostgreSQL.
const PORT: u16 = 5432;
/// What a URL may say besides what is done here.
const PASSED_ON: [&str; 5] = ["host", "port", "hostaddr", "load_balance_hosts", "channel_binding"];

/// Address and resources of a store.
#[derive(Clone)]
pub struct PostgresSettings {
    pub(super) config: Config,
    tls: Tls,
    passfile: Option<PathBuf>,
    /// File with the password and nothing else. It is asked first.
    pub password_file: Option<PathBuf>,
    /// File in the format of `~/.pgpass`, for a URL that names none.
    pub default_passfile: Option<PathBuf>,
    /// What the database is opened for.
    pub access: Access,
    /// File that identifies processes of one data folder: one that starts after a crash has not to wait for the end of the lease
    /// of the one before it. None: each process waits.
    pub identity: Option<PathBuf>,
    /// Writes that may wait or be under way at once; more of them wait before they are queued.
    pub queue: usize,
    /// Interval between removals of expired records.
    pub sweep_every: Duration,
    /// How long a batch of writes is tried again while the database cannot be reached.
    pub patience: Duration,
    /// What happens with a store that has not been filled to its end.
    pub unfinished: Incomplete,
}

/// How connections are encrypted.
#[derive(Debug, Clone)]
enum Tls {
    /// They are, and the server has a certificate of a public authority or of one in this file.
    Verified(Option<PathBuf>),
    /// They are not.
    Off,
}

/// Text that is no address of a database. The messages never contain a value of it, which could be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPostgresUrl {
    /// Another form.
    #[error("it has to be like postgres://user@host:5432/database: {0}")]
    Form(String),
    /// A password in it.
    #[error(
        "it has a password in it, which process lists and logs would show: write it to a file, and name that by \
         `?passfile=FILE` or `--store-password-file FILE`"
    )]
    Password,
    /// No user, or no database.
    #[error("it names no {0}: postgres://user@host:5432/database")]
    Missing(&'static str),
    /// A way of TLS that does not verify the server.
    #[error(
        "sslmode can be verify-full (with `sslrootcert=FILE` for an authority of your own) or disable: \
         all others accept any server"
    )]
    SslMode,
    /// The address of another database, or of something else.
    #[error(
        "it begins with `{0}://`: the store can be in PostgreSQL only, at an address like postgres://user@host:5432/database"
    )]
    Scheme(String),
    /// A setting that is not known.
    #[error("it has the setting `{0}`, which is not known here")]
    Setting(String),
    /// A host or a port in the settings, besides those before the database.
    #[error(
        "it names hosts before the database, and `{0}` among its settings: write all hosts before the database, separated by commas, \
         or none there"
    )]
    Twice(&'static str),
}

impl FromStr for PostgresSettings {
    type Err = InvalidPostgresUrl;

    /// An address like `postgres://user@host:5432/database?sslrootcert=ca.pem`; several hosts are separated by commas.
    fn from_str(url: &str) -> Result<Self, InvalidPostgresUrl> {
        let (mut passfile, mut root, mut mode) = (None, None, None);
        let (address, settings) = url.split_once('?').unwrap_or((url, ""));
        let Some(rest) = ["postgres://", "postgresql://"].iter().find_map(|scheme| address.strip_prefix(scheme)) else {
            return Err(other_scheme(address));
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let names_hosts = authority.rsplit('@').next().is_some_and(|hosts| !hosts.is_empty());
        let mut passed_on = String::new();
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            match name {
                "passfile" => passfile = Some(PathBuf::from(decoded(value)?)),
                "sslrootcert" => root = Some(PathBuf::from(decoded(value)?)),
                "sslmode" => mode = Some(value),
                "password" => return Err(InvalidPostgresUrl::Password),
                "host" if names_hosts => return Err(InvalidPostgresUrl::Twice("host")),
                "port" if names_hosts => return Err(InvalidPostgresUrl::Twice("port")),
                _ if PASSED_ON.contains(&name) => {
                    passed_on = format!("{passed_on}{}{setting}", if passed_on.is_empty() { "?" } else { "&" });
                }
                _ => return Err(InvalidPostgresUrl::Setting(name.chars().take(32).collect())),
            }
        }
        let config: Config = format!("{address}{passed_on}")
            .parse()
            .map_err(|error: tokio_postgres::Error| InvalidPostgresUrl::Form(super::fault::chain(&error)))?;
        if config.get_password().is_some() {
            return Err(InvalidPostgresUrl::Password);
        }
        for (name, is_missing) in [
            ("user", config.get_user().is_none_or(str::is_empty)),
            ("host", config.get_hosts().is_empty() && config.get_hostaddrs().is_empty()),
            ("database", config.get_dbname().is_none_or(str::is_empty)),
        ] {
            if is_missing {
                return Err(InvalidPostgresUrl::Missing(name));
            }
        }
        let tls = match mode {
            Some("verify-full") => Tls::Verified(root),
            Some("disable") => Tls::Off,
            Some(_) => return Err(InvalidPostgresUrl::SslMode),
            None if is_local(&config) && root.is_none() => Tls::Off,
            None => Tls::Verified(root),
        };
        Ok(Self {
            config,
            tls,
            passfile,
            password_file: None,
            default_passfile: None,
            access: Access::Host,
            identity: None,
            queue: 4096,
            sweep_every: Duration::from_secs(60),
            patience: Duration::from_secs(10),
            unfinished: Incomplete::Refused,
        })
    }
}

/// The error for an address that is not one of PostgreSQL. What looks like no scheme is not repeated, because it can be a secret.
fn other_scheme(address: &str) -> InvalidPostgresUrl {
    match address.split_once("://") {
        Some((scheme, _)) if scheme.len() <= 16 && scheme.bytes().all(|byte| byte.is_ascii_lowercase()) => {
            InvalidPostgresUrl::Scheme(scheme.to_owned())
        }
        _ => InvalidPostgresUrl::Form("the scheme is missing".to_owned()),
    }
}

fn decoded(value: &str) -> Result<String, InvalidPostgresUrl> {
    let value = percent_encoding::percent_decode_str(value).decode_utf8();
    value.map(Into::into).map_err(|_| InvalidPostgresUrl::Form("a setting is not UTF-8".to_owned()))
}

/// Whether nothing leaves this machine.
fn is_local(config: &Config) -> bool {
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    });
    hosts && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

impl PostgresSettings {
    /// The password, from the first of the files that has one.
    pub(super) fn password(&self) -> StoreResult<Option<Zeroizing<Vec<u8>>>> {
        if let Some(path) = &self.password_file {
            let content = self.secret(path)?;
            let text = content.text().map_err(|error| self.refused(&format!("{}: {error}", path.shown())))?;
            return Ok(Some(Zeroizing::new(text.trim_end_matches(['\n', '\r']).as_bytes().to_vec())));
        }
        let Some(path) = self.passfile.as_ref().or(self.default_passfile.as_ref()) else { return Ok(None) };
        let content = self.secret(path)?;
        let text = content.text().map_err(|error| self.refused(&format!("{}: {error}", path.shown())))?;
        let user = self.config.get_user().unwrap_or_default();
        let database = self.config.get_dbname().unwrap_or_default();
        let password = |(host, port): (&Host, u16)| {
            let name = match host {
                Host::Tcp(name) => name,
                // As in libpq.
                Host::Unix(_) => "localhost",
            };
            passfile::password(text, name, port, database, user)
        };
        Ok(self.hosts().find_map(password))
    }

    /// The content of a file that only its owner may read.
    fn secret(&self, path: &Path) -> StoreResult<Content> {
        let read = bounded_file::read(path, LINE);
        let content = read.map_err(|error| self.refused(&format!("{}: {error}", path.shown())))?;
        match content.is_exposed() {
            true => Err(self.refused(&format!("{} can be read by others: chmod 600 it", path.shown()))),
            false => Ok(content),
        }
    }

    /// How connections are encrypted; `None` where they are not.
    pub(super) fn tls(&self) -> StoreResult<Option<Arc<rustls::ClientConfig>>> {
        match &self.tls {
            Tls::Off => Ok(None),
            Tls::Verified(root) => {
                tls_config(root.as_deref()).map(Some).map_err(|error| self.refused(&error.to_string()))
            }
        }
    }

    /// The hosts, with their ports.
    fn hosts(&self) -> impl Iterator<Item = (&Host, u16)> {
        let ports = self.config.get_ports();
        let port = move |place: usize| ports.get(place).or(ports.first()).copied().unwrap_or(PORT);
        self.config.get_hosts().iter().enumerate().map(move |(place, host)| (host, port(place)))
    }

    /// The error for a database that cannot be used.
    pub(super) fn refused(&self, reason: &str) -> StoreError {
        StoreError::Database { place: self.to_string(), reason: reason.to_owned() }
    }
}

/// The address, without anything that could be secret.
impl fmt::Display for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.config.get_user().unwrap_or_default())?;
        for (place, (host, port)) in self.hosts().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(folder) => write!(f, "{comma}{}:{port}", folder.shown())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresSettings({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> PostgresSettings {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn an_address_is_shown_without_what_it_does_not_need() {
        for (url, shown) in [
            ("postgres://kf@db.example.com/keyferry", "postgres://kf@db.example.com:5432/keyferry"),
            ("postgresql://kf@[::1]:6000/k?passfile=/x", "postgres://kf@::1:6000/k"),
            ("postgres://kf@a:1,b:2/k?sslmode=verify-full", "postgres://kf@a:1,b:2/k"),
            ("postgres://kf@%2Frun%2Fpostgresql/k", "postgres://kf@/run/postgresql:5432/k"),
            ("postgres://kf@/k?host=/run/postgresql&port=7", "postgres://kf@/run/postgresql:7/k"),
        ] {
            assert_eq!(parsed(url).to_string(), shown);
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_its_values() {
        for (url, expected) in [
            ("postgres://kf:s3cr3t@h/k", "a password in it"),
            ("postgres://kf@h/k?password=s3cr3t", "a password in it"),
            ("postgres://h/k", "no user"),
            ("postgres://kf@/k", "no host"),
            ("postgres://kf@h", "no database"),
            ("postgres://kf@h/k?sslmode=require", "verify-full"),
            ("postgres://kf@h/k?sslmode=prefer", "verify-full"),
            ("postgres://kf@h/k?options=s3cr3t", "`options`"),
            ("postgres://kf@h:s3cr3t/k", "like postgres://"),
            ("mysql://kf:s3cr3t@h/k", "begins with `mysql://`: the store can be in PostgreSQL only"),
            ("s3cr3t://kf@h/k", "the scheme is missing"),
            ("postgres://kf@h/k?host=/run/s3cr3t", "names hosts before the database, and `host`"),
            ("postgres://kf@a,b/k?port=7", "and `port` among its settings"),
            ("/var/lib/s3cr3t", "like postgres://"),
        ] {
            let error = url.parse::<PostgresSettings>().map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("s3cr3t"), "{url}: {error}");
        }
    }

    #[test]
    fn beyond_this_machine_the_server_is_verified() {
        for (url, is_verified) in [
            ("postgres://kf@localhost/k", false),
            ("postgres://kf@127.0.0.1/k", false),
            ("postgres://kf@/k?host=/run/postgresql", false),
            ("postgres://kf@localhost/k?sslmode=verify-full", true),
            ("postgres://kf@localhost,db/k", true),
            ("postgres://kf@10.0.0.1/k", true),
            ("postgres://kf@db/k?sslmode=disable", false),
        ] {
            assert_eq!(parsed(url).tls().unwrap().is_some(), is_verified, "{url}");
        }
    }
}
