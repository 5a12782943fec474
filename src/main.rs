//! The freehold command: run the server, or a command that talks to it.

mod memory;

use std::process::ExitCode;

use freehold::{cli, daemon};

fn main() -> ExitCode {
    memory::give_back(memory::AT_ONCE);
    if let Some(code) = cli::complete(|options| find_place(&chosen(options))) {
        return code;
    }
    let cli::Arguments { options, command } = cli::Arguments::read();
    let mut chosen = chosen(&options);
    if let (cli::Command::Serve(serve), None) = (&command, &options.server) {
        chosen.listen.clone_from(&serve.listen);
        chosen.admin.clone_from(&serve.admin_listen);
        chosen.http.clone_from(&serve.http_listen);
        chosen.https.clone_from(&serve.https_listen);
        let (read_zone, table, pack) = (cli::import_check, cli::table, memory::pack);
        return daemon::serve(&chosen, daemon::Hands { read_zone, table, loaded, pack });
    }
    cli::run(&command, &options, |options| find_place(&self::chosen(options)))
}

/// A server that is about to serve is in less of a hurry.
fn loaded() {
    memory::give_back_all();
    memory::give_back(memory::SOON);
}

fn chosen(options: &cli::Options) -> daemon::Chosen {
    let (config, data) = (options.config.clone(), options.data.clone());
    daemon::Chosen { config, data, ..daemon::Chosen::default() }
}

fn find_place(chosen: &daemon::Chosen) -> Result<cli::Place, String> {
    let daemon::Loaded { settings, file, .. } = daemon::load(chosen).map_err(|bad| bad.to_string())?;
    Ok(cli::Place::Local(cli::Local { store: settings.store, admin: settings.admin, file }))
}
