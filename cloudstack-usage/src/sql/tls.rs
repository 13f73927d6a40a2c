//! How the driver is told to encrypt.

use std::io;

use mysql::SslOpts;

use super::{SqlServer, SqlTls};
use crate::error::{Error, ErrorKind};

/// What the driver encrypts with; none where it does not.
pub(super) fn options(server: &SqlServer) -> Result<Option<SslOpts>, Error> {
    let options = match server.tls() {
        SqlTls::Off => return Ok(None),
        _ if !cfg!(feature = "sql-tls") => {
            let message = format!(
                "{server} cannot be reached: this program was built without its feature `sql-tls`"
            );
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        SqlTls::Unverified => SslOpts::default().with_danger_accept_invalid_certs(true),
        SqlTls::Verified { authority: None } => SslOpts::default(),
        SqlTls::Verified {
            authority: Some(file),
        } => {
            // the driver would say that the server cannot be reached
            std::fs::File::open(file).map_err(|error| {
                let message = format!("{} of tls-ca cannot be read", file.display());
                Error::new(ErrorKind::Configuration, message).with_source(error)
            })?;
            SslOpts::default().with_root_cert_path(Some(file.clone()))
        }
    };
    Ok(Some(options))
}

/// What to do about a server that has no TLS, or does not prove who it is; none for other
/// errors.
pub(super) fn explain(place: &str, error: &mysql::Error) -> Option<String> {
    match error {
        mysql::Error::DriverError(mysql::DriverError::TlsNotSupported) => Some(format!(
            "{place} offers no TLS; set a certificate there (ssl_cert, ssl_key), or use tls=off"
        )),
        #[cfg(feature = "sql-tls")]
        mysql::Error::TlsError(_) => Some(format!("{place}: TLS cannot be used")),
        _ => {
            // rustls tells what is wrong with a certificate as data that is invalid
            let error = input_error(error)?;
            let is_of_certificate = error.kind() == io::ErrorKind::InvalidData
                && error.to_string().contains("certificate");
            is_of_certificate.then(|| {
                format!(
                    "{place} does not prove who it is; name the certificate of its \
                     authority by tls-ca=FILE, and the host as its certificate does"
                )
            })
        }
    }
}

/// The error of the connection within one of the driver.
fn input_error(error: &mysql::Error) -> Option<&io::Error> {
    match error {
        mysql::Error::IoError(error) => Some(error),
        mysql::Error::CodecError(error) => std::error::Error::source(error)?.downcast_ref(),
        _ => None,
    }
}
