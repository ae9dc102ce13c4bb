//! What the demo prints at its end: the commands and credentials to try next.

use std::net::SocketAddr;
use std::path::Path;

use super::error::CliError;
use super::program::program;
use super::term;
use keyferry_imports::input::shell_path;
use keyferry_mock_providers::apps::sample;
use keyferry_types::path_text::ShowPath as _;

/// The running demo, as the reader of the guide sees it.
pub(super) struct RunningDemo<'a> {
    /// The address of the server.
    pub(super) address: SocketAddr,
    /// The folder of the demo, which is removed at its end.
    pub(super) folder: &'a Path,
    /// The organisation.
    pub(super) org: &'a str,
    /// A linked account with a credential of HubSpot.
    pub(super) account: &'a str,
    /// An API key without the scope `read_credentials`.
    pub(super) key: &'a str,
    /// An API key with that scope alone.
    pub(super) reading_key: &'a str,
}

/// Writes the sample file, and prints the guide.
pub(super) fn print(demo: &RunningDemo<'_>) -> Result<(), CliError> {
    let RunningDemo { address, folder, org, account, key, reading_key } = demo;
    let file = folder.join("customers.csv");
    std::fs::write(&file, sample::csv())?;
    let (program, file, data) = (program(), shell_path(&file), shell_path(&folder.join("data")));
    let accounts = format!("http://{address}/api/v2/public/linked-account");
    term::print(&format!(
        "\nStill serving; Ctrl-C ends it and removes {}. In another terminal:\n\n\
         export KEYFERRY_SERVER=http://{address}\n\
         export KEYFERRY_API_KEY={key}\n\
         export KEYFERRY_DATA={data}\n\n\
         {program} import --dry-run --create-accounts {file}\n\
         {program} import --create-accounts {file}\n\
         {program} imports list\n\
         {program} account list\n\
         {program} verify --all\n\
         {program} audit verify --org {org}\n\n\
         curl {accounts} -H \"x-api-key: $KEYFERRY_API_KEY\"\n\n\
         Values of credentials need a key with the scope read_credentials:\n\n\
         curl {accounts}/{account}/integration/hubspot/credentials -H 'x-api-key: {reading_key}'\n\n\
         The mock providers know these credentials; {file} has them all:\n",
        folder.shown()
    ));
    for one in &sample::CREDENTIALS {
        let value = one.fields.first().map_or("", |(_, value)| value);
        let more = match one.fields.len() {
            0..=2 => "",
            _ => ", with the others in the file",
        };
        term::print(&format!("   {:<9} {value:<36} {}{more}", one.slug, one.outcome));
    }
    Ok(())
}
