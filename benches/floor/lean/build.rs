//! Writes down the roots that AWS's endpoints have, of those that Mozilla trusts, for the function to carry along.

use std::{env, error::Error, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// In the names of the roots below <https://www.amazontrust.com/repository/>.
const OWNERS: [&[u8]; 2] = [b"Amazon Root CA", b"Starfield Services Root Certificate Authority"];

fn main() -> Result<(), Box<dyn Error>> {
    let is_amazon = |certificate: &[u8]| OWNERS.iter().any(|owner| certificate.windows(owner.len()).any(|part| part == *owner));
    let pem: String = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter(|certificate| is_amazon(certificate))
        .map(|certificate| {
            // A line may have 64 characters, and that is 48 bytes.
            let lines: Vec<String> = certificate.chunks(48).map(|bytes| STANDARD.encode(bytes)).collect();
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
        })
        .collect();
    fs::write(Path::new(&env::var("OUT_DIR")?).join("amazon-roots.pem"), pem)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
