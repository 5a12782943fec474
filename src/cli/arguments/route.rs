//! `freehold route`: what can be typed.

use clap::{Args, Subcommand};

use crate::route::{Fault, Target};

/// What to do with routes. A route is named by its host, or by host and path.
#[derive(Debug, Subcommand)]
pub enum Route {
    /// Show all routes: where each leads, what its name is answered with, and how its certificate stands
    #[command(after_help = "\
Examples:
  freehold route list
  freehold route list -o json")]
    List,
    /// Show a route and all that is known of it: name, delegation, certificate, the last error
    #[command(after_help = "\
Examples:
  freehold route show app.example.org
  freehold route show app.example.org/api -o json

Nobody is asked for it; `freehold route test` does.")]
    Show {
        /// The host, or host and path
        #[arg(value_name = "HOST[/PATH]")]
        route: String,
    },
    /// Visit a site step by step, as this server sees it and as a stranger does, and say what is wrong
    #[command(after_help = "\
Examples:
  freehold route test app.example.org
  freehold route test app.example.org/api/health

The path is one that a visitor would ask for; the app is asked for it, twice or more. It takes a running server.
Exit code 1: something is wrong.")]
    Test {
        /// The host, or host and path
        #[arg(value_name = "HOST[/PATH]")]
        route: String,
    },
    /// Make a route; refused if there is one for this host and path
    #[command(after_help = "\
Examples:
  freehold route add app.example.org http://127.0.0.1:3000
  freehold route add app.example.org/api http://127.0.0.1:4000 http://127.0.0.1:4001     two apps that are alike
  freehold route add app.example.org http://10.0.0.5:3000,weight=3 http://10.0.0.6:3000 http://10.0.0.7:3000,backup
  freehold route add '*.apps.example.org' unix:/run/apps.sock
  freehold route add www.example.org /srv/www                                            a folder of files
  freehold route add old.example.org redirect:https://app.example.org/

The records of the host come with it, if its zone is here, and a certificate is asked for.")]
    Add(NewRoute),
    /// Make a route, or change what is named of the one there is
    #[command(after_help = "\
Examples:
  freehold route set app.example.org http://127.0.0.1:3001 --dry-run
  freehold route set app.example.org http://127.0.0.1:3001
  freehold route set app.example.org --plain-http=false           the rest stays as it is")]
    Set(ChangedRoute),
    /// Give an app of a route no more requests; what is under way is finished
    #[command(after_help = "\
Examples:
  freehold route drain app.example.org http://127.0.0.1:4000             before it is stopped
  freehold route drain app.example.org http://127.0.0.1:4000 --undo      when it is back")]
    Drain {
        /// The host, or host and path
        #[arg(value_name = "HOST[/PATH]")]
        route: String,
        /// The app
        #[arg(value_name = "TARGET", value_parser = target)]
        target: Target,
        /// Give it requests again
        #[arg(long)]
        undo: bool,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Throw away what the edge keeps of a route's answers: all, those of a path, or those with a tag
    #[command(after_help = "\
Examples:
  freehold route purge app.example.org
  freehold route purge app.example.org /news/today
  freehold route purge app.example.org '/news/*'
  freehold route purge app.example.org --tag article-17

Tags are the words of the Surrogate-Key or Cache-Tag that the app sent with an answer.")]
    Purge {
        /// The host, or host and path
        #[arg(value_name = "HOST[/PATH]")]
        route: String,
        /// The path, as it is asked for, with any query; a star at its end stands for all that begin so
        #[arg(value_name = "PATH", conflicts_with = "tag")]
        path: Option<String>,
        /// A word of Surrogate-Key or Cache-Tag
        #[arg(long, value_name = "TAG")]
        tag: Option<String>,
    },
    /// Make the hash of a password for `basic_auth`; it is asked for, or read from standard input
    #[command(after_help = "\
Examples:
  freehold route password anna
  freehold route set app.example.org --option basic_auth.users.anna=\"$(freehold route password anna)\"

Nothing is changed by it, and no server is asked. A hash that `htpasswd -nB` makes is taken as well.")]
    Password {
        /// The user, for the question
        #[arg(value_name = "USER")]
        user: String,
    },
    /// Delete a route; with the last one of a host its records go too
    #[command(after_help = "\
Examples:
  freehold route delete app.example.org/api
  freehold route delete app.example.org --dry-run")]
    Delete {
        /// The host, or host and path
        #[arg(value_name = "HOST[/PATH]")]
        route: String,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
}

/// A route to be made.
#[derive(Args, Debug)]
pub struct NewRoute {
    /// The host, or host and path
    #[arg(value_name = "HOST[/PATH]")]
    pub route: String,
    /// Where to: an app (http://, https://, h2c://, tls://, unix:), redirect:URL, or a folder; several apps take turns
    #[arg(value_name = "TARGET", required = true, value_parser = target)]
    pub targets: Vec<Target>,
    /// Serve plain HTTP as well, instead of sending it on to HTTPS
    #[arg(long)]
    pub plain_http: bool,
    /// How its requests are treated; may be given several times. docs/routes.md has all options
    #[arg(short = 'O', long = "option", value_name = "KEY=VALUE")]
    pub options: Vec<String>,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
}

/// What is to be changed of a route.
#[derive(Args, Debug)]
pub struct ChangedRoute {
    /// The host, or host and path
    #[arg(value_name = "HOST[/PATH]")]
    pub route: String,
    /// Where to: an app (http://, https://, h2c://, tls://, unix:), redirect:URL, or a folder; several apps take turns
    #[arg(value_name = "TARGET", value_parser = target)]
    pub targets: Vec<Target>,
    /// Serve plain HTTP as well, instead of sending it on to HTTPS
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false", hide_possible_values = true)]
    pub plain_http: Option<bool>,
    /// How its requests are treated; may be given several times. An empty value puts an option back
    #[arg(short = 'O', long = "option", value_name = "KEY=VALUE")]
    pub options: Vec<String>,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
}

fn target(text: &str) -> Result<Target, Fault> {
    Target::parse(text)
}
