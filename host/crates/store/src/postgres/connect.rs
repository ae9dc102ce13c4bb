//! Connections to the database.

use std::time::Duration;

use deadpool_postgres::Connect;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::{Fault, Kind};
use super::settings::PostgresSettings;
use crate::StoreResult;

/// How long a connection may take to one address.
const CONNECT: Duration = Duration::from_secs(3);
/// How long all of it may take, with the addresses, the handshakes and the first questions.
const ALL_OF_IT: Duration = Duration::from_secs(8);

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// Where the tasks of connections run that many threads share.
    runtime: Handle,
}

impl Connector {
    /// For the current runtime.
    pub(super) fn new(settings: &PostgresSettings) -> StoreResult<Self> {
        let mut config = settings.config.clone();
        config
            .application_name("keyferry")
            .connect_timeout(CONNECT)
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(10));
        if let Some(password) = settings.password()? {
            config.password(password.as_slice());
        }
        let tls = settings.tls()?.map(|tls| MakeRustlsConnect::new((*tls).clone()));
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        Ok(Self { config, tls, runtime: Handle::current() })
    }

    /// The configuration, which the pool wants to have.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// A connection whose task runs on `runtime`.
    async fn connect_on(&self, runtime: &Handle) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                Ok((client, runtime.spawn(async { _ = connection.await })))
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                Ok((client, runtime.spawn(async { _ = connection.await })))
            }
        }
    }

    /// A connection that writes: on the current runtime, and to a database that keeps what it has committed.
    pub(super) async fn connect_to_write(&self) -> Result<Client, Fault> {
        let connected = async {
            let (client, _) = self.connect_on(&Handle::current()).await?;
            require(&client, "synchronous_commit", "a commit would be acknowledged before it is on disk").await?;
            require(&client, "fsync", "a commit would never be brought to disk").await?;
            Ok(client)
        };
        let slow = |_| Fault::lost(format!("no connection within {} s", ALL_OF_IT.as_secs()));
        tokio::time::timeout(ALL_OF_IT, connected).await.map_err(slow)?
    }
}

/// Refuses a database with this setting off. One of the family that has no such setting has nothing to turn off.
async fn require(client: &Client, setting: &str, why: &str) -> Result<(), Fault> {
    let shown = client.query_typed_one(&format!("SHOW {setting}"), &[]).await;
    match shown.and_then(|row| row.try_get::<_, String>(0)) {
        Ok(value) if value == "off" => {
            Err(Fault { kind: Kind::Refused, reason: format!("its setting {setting} is off: {why}").into() })
        }
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        _config: &Config,
    ) -> futures_util::future::BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        Box::pin(self.connect_on(&self.runtime))
    }
}
