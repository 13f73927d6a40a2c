//! The API without input and output: requests, their signatures, who may see what of them.

mod credentials;
mod dialect;
mod metadata_requests;
mod request;
mod signature;
mod usage_request;

pub use credentials::{Credentials, Secret};
pub use dialect::DateDialect;
pub use metadata_requests::metadata_requests;
pub use request::{Request, SignedRequest};
pub use signature::{sign, string_to_sign, verify};
pub use usage_request::UsageRequest;
