//! The freehold command: run the server, or a command that talks to it.

use std::process::ExitCode;

use freehold::{cli, daemon};

/// Faster than the system's under many small nodes, and gives memory back after a big zone was replaced.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli::Arguments { options, command } = cli::Arguments::read();
    let (config, data) = (options.config.clone(), options.data.clone());
    let mut chosen = daemon::Chosen { config, data, ..daemon::Chosen::default() };
    if let cli::Command::Serve(serve) = &command {
        chosen.listen.clone_from(&serve.listen);
        chosen.admin.clone_from(&serve.admin_listen);
        return daemon::serve(&chosen, daemon::Hands { read_zone: cli::import_check, table: cli::table });
    }
    cli::run(&command, &options, &|| match daemon::load(&chosen) {
        Ok(loaded) => Ok(cli::Place { store: loaded.settings.store, admin: loaded.settings.admin }),
        Err(bad) => Err(bad.to_string()),
    })
}
