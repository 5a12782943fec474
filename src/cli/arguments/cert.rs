//! `freehold cert`: what can be typed.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do with certificates. A certificate is named by any of the names that it is for.
#[derive(Debug, Subcommand)]
pub enum Cert {
    /// Show all certificates: how they stand, until when, and what happens next
    #[command(after_help = "\
Examples:
  freehold cert list
  freehold cert list -o json")]
    List,
    /// Show why a certificate is as it is: what was tried, what the CA said, what to do
    #[command(after_help = "\
Examples:
  freehold cert why app.example.org")]
    Why {
        /// A name that it is for
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Ask for a certificate for names that no route has; it is renewed until it is deleted
    #[command(after_help = "\
Examples:
  freehold cert request mail.example.org imap.example.org     both on one certificate")]
    Request {
        /// The names
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Renew a certificate now, or try again what has failed
    #[command(after_help = "\
Examples:
  freehold cert renew app.example.org")]
    Renew {
        /// A name that it is for
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Write a certificate's chain, its private key, or the root of the built-in CA
    #[command(after_help = "\
Examples:
  freehold cert export --root > freehold-ca.pem                     for clients to trust; docs/certificates.md says how
  freehold cert export mail.example.org --file chain.pem
  freehold cert export mail.example.org --key --file key.pem        only its owner may read the file")]
    Export {
        /// A name that it is for
        #[arg(value_name = "NAME", required_unless_present = "root", conflicts_with = "root")]
        name: Option<String>,
        /// The private key instead of the chain
        #[arg(long, conflicts_with = "root")]
        key: bool,
        /// The root certificate of the built-in CA
        #[arg(long)]
        root: bool,
        /// Where to [default: standard output]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Bring a certificate that was made elsewhere
    #[command(after_help = "\
Examples:
  freehold cert import --chain fullchain.pem --key privkey.pem")]
    Import {
        /// The certificate and those that vouch for it, in PEM form
        #[arg(long, value_name = "FILE")]
        chain: PathBuf,
        /// Its private key, in PEM form
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Delete a certificate that was imported or requested
    #[command(after_help = "\
Examples:
  freehold cert delete mail.example.org")]
    Delete {
        /// A name that it is for
        #[arg(value_name = "NAME")]
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}
