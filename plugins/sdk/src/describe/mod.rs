//! What a plugin says of its app.

mod app;
mod auth_type;
mod field;
mod grant;

pub use app::App;
pub use auth_type::AuthType;
pub use field::Field;
pub use grant::Grant;
