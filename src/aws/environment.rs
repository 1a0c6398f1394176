//! Where AWS is and who we are there: straight from the variables that Lambda sets. The SDK's chain of files, metadata services and
//! profiles costs a start more than all else that is done in it, and a function never needs it.

use aws_config::Region;
use aws_sdk_dynamodb::config::Credentials;

use crate::config::{ConfigError, Source, names_certificates, optional, required};

/// What the environment says of AWS. It holds keys, so it does not print.
pub(super) struct Environment {
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub(super) region: Region,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    pub(super) credentials: Credentials,
    /// `AWS_ENDPOINT_URL`: another AWS than Amazon's (development, tests).
    pub(super) endpoint_url: Option<String>,
    /// `AWS_USE_FIPS_ENDPOINT`.
    pub(super) use_fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT`.
    pub(super) use_dual_stack: bool,
    /// Whether Amazon's own certificates are not enough: `SSL_CERT_FILE` or `SSL_CERT_DIR` is set (a proxy that reads along, a private
    /// region), or an endpoint that need not be Amazon's has TLS.
    pub(super) trusts_the_system: bool,
}

impl Environment {
    /// Reads the variables.
    ///
    /// # Errors
    /// The first of region and keys that is missing.
    pub(super) fn read(source: &impl Source) -> Result<Self, ConfigError> {
        let is_true = |name| optional(source, name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let region = required(source, "AWS_REGION").or_else(|missing| optional(source, "AWS_DEFAULT_REGION").ok_or(missing))?;
        let endpoint_url = optional(source, "AWS_ENDPOINT_URL");
        Ok(Self {
            region: Region::new(region),
            credentials: Credentials::new(
                required(source, "AWS_ACCESS_KEY_ID")?,
                required(source, "AWS_SECRET_ACCESS_KEY")?,
                optional(source, "AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            use_fips: is_true("AWS_USE_FIPS_ENDPOINT"),
            use_dual_stack: is_true("AWS_USE_DUALSTACK_ENDPOINT"),
            trusts_the_system: names_certificates(source) || endpoint_url.as_ref().is_some_and(|url| url.starts_with("https:")),
            endpoint_url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn lambda() -> HashMap<&'static str, &'static str> {
        HashMap::from([("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")])
    }

    #[test]
    fn what_lambda_sets_is_enough() {
        let environment = Environment::read(&lambda()).unwrap();
        assert_eq!(environment.region.as_ref(), "eu-west-1");
        assert_eq!((environment.credentials.access_key_id(), environment.credentials.session_token()), ("k", None));
        assert!(!environment.trusts_the_system && !environment.use_fips && !environment.use_dual_stack);
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            let mut source = lambda();
            source.insert(name, "");
            assert_eq!(Environment::read(&source).err(), Some(ConfigError::Missing(name)));
        }
        let mut source = lambda();
        source.remove("AWS_REGION");
        source.insert("AWS_DEFAULT_REGION", "eu-west-2");
        assert_eq!(Environment::read(&source).unwrap().region.as_ref(), "eu-west-2");
    }

    #[test]
    fn who_names_certificates_is_trusted_with_them() {
        for (name, value, trusted) in [
            ("SSL_CERT_FILE", "/opt/ca.pem", true),
            ("SSL_CERT_DIR", "/opt/ca", true),
            ("AWS_ENDPOINT_URL", "https://aws.example", true),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566", false),
        ] {
            let mut source = lambda();
            source.insert(name, value);
            assert_eq!(Environment::read(&source).unwrap().trusts_the_system, trusted, "{name}={value}");
        }
    }
}
