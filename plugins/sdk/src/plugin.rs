use std::panic;
use std::sync::Once;

use crate::bindings::exports::keyferry::plugin::{app as wit, renewal};
use crate::{App, Client, Credential, Failure, Renewal, RenewalFailure, Renewed, Verified, log};

/// What a plugin provides. Put the type into [`export!`](crate::export) to make it the component's.
pub trait Plugin {
    /// Describes the app.
    ///
    /// It is called with nothing granted, makes no request, and returns the same each time.
    fn describe() -> App;

    /// Verifies a credential with the provider.
    ///
    /// Keyferry has checked the fields against [`Plugin::describe`]: all that are required are there, none is unknown,
    /// and each keeps to its kind, pattern and length.
    ///
    /// # Errors
    /// The reason why the credential could not be shown to work. See [`Failure`].
    fn verify(credential: Credential) -> Result<Verified, Failure>;

    /// Renews a pair of tokens that [`AuthType::renewal`](crate::AuthType::renewal) describes. The client is there if the pair needs
    /// one. Unless a provider differs from RFC 6749, there is nothing to implement.
    ///
    /// # Errors
    /// The reason why the tokens were not renewed. See [`RenewalFailure`].
    fn renew(credential: &Credential, renewal: Renewal, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        renewal.send(credential, client)
    }
}

/// Makes a type that implements [`Plugin`] the component's own. Once in a crate.
///
/// Outside WebAssembly it exports nothing, so that the crate builds and tests like any other.
#[macro_export]
macro_rules! export {
    ($plugin:ident) => {
        const _: () = $crate::assert_plugin::<$plugin>();

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::Component<$plugin>;
    $crate::bindings::export_component!(Exported with_types_in $crate::bindings);
        };
    };
}

/// Makes a forgotten `impl Plugin` an error on every target.
#[doc(hidden)]
pub const fn assert_plugin<P: Plugin>() {}

/// Stands between the component's exports and a plugin.
#[doc(hidden)]
pub struct Component<P>(std::marker::PhantomData<P>);

impl<P: Plugin> wit::Guest for Component<P> {
    fn describe() -> wit::Description {
        report_panics();
        P::describe().into_wit()
    }

    fn verify(credential: wit::Credential) -> Result<wit::Verified, wit::Failure> {
        report_panics();
        P::verify(Credential::from_wit(credential)).map(Verified::into_wit).map_err(Failure::into_wit)
    }
}

impl<P: Plugin> renewal::Guest for Component<P> {
    fn describe() -> Vec<renewal::Renewable> {
        report_panics();
        P::describe().into_renewals().into_iter().map(|(auth_type, renewal)| renewal.into_wit(&auth_type)).collect()
    }

    fn renew(
        credential: wit::Credential,
        pair: String,
        client: Option<renewal::Client>,
    ) -> Result<renewal::Renewed, renewal::RenewalFailure> {
        report_panics();
        let (credential, client) = (Credential::from_wit(credential), client.map(Client::from_wit));
        let mut known = P::describe().into_renewals().into_iter();
        let asked = known
            .find(|(auth_type, renewal)| auth_type == credential.auth_type() && renewal.access_token_field() == pair);
        let renewed = match asked {
            Some((_, renewal)) => P::renew(&credential, renewal, client.as_ref()),
            None => Err(RenewalFailure::not_renewable(&[&pair], "this plugin does not renew it")),
        };
        renewed.map(Renewed::into_wit).map_err(RenewalFailure::into_wit)
    }
}

/// A panic ends as a bare `unreachable` trap; its message reaches people by the log only.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("something that is not text");
            let line = match panic.location() {
                Some(at) => format!("panicked at {}:{}: {message}", at.file(), at.line()),
                None => format!("panicked: {message}"),
            };
            log::error(&line);
        }));
    });
}
