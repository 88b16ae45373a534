//! One file per command: gather, plan, run, report.

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use tracing::Instrument as _;

use crate::cli::{Cli, Command, Environment, Output, Schema, SnapshotCommand};
use crate::engine::Refusal;
use crate::problem::{Code, ExitCode, Problem};
use crate::ui::{Format, Live, Style, Ui};

mod cache;
mod deploy;
mod explain;
mod install;
mod inventory;
mod join;
mod kubeconfig;
mod node_token;
mod plan;
mod ready;
mod reset;
mod restore;
mod snapshot;
mod trust;
mod upgrade;
mod user;

/// Runs the command that was typed.
pub async fn run(cli: Cli, environment: Environment) -> ExitCode {
    let ui = Ui {
        format: match cli.output {
            Output::Plain => Format::Plain,
            Output::Json => Format::Json,
        },
        verbosity: if cli.quiet {
            -1
        } else {
            i8::try_from(cli.verbose).unwrap_or(2)
        },
        is_preview: match &cli.command {
            Command::Plan(_) => true,
            Command::Install(arguments) => arguments.node.plan,
            Command::Join(arguments) => arguments.node.plan,
            Command::Reset(arguments) => arguments.plan,
            Command::Upgrade(arguments) => arguments.plan,
            Command::Recover(arguments) => arguments.plan,
            Command::Snapshot { what } => match &**what {
                SnapshotCommand::Save { plan, .. } | SnapshotCommand::Delete { plan, .. } => *plan,
                SnapshotCommand::Restore(arguments) => arguments.plan,
                SnapshotCommand::List { .. } | SnapshotCommand::Fetch { .. } => false,
            },
            _ => false,
        },
        shows_commands: match &cli.command {
            Command::Install(arguments) => arguments.node.login.print_command,
            Command::Join(arguments) => arguments.node.login.print_command,
            Command::GetConfig(arguments) => arguments.login.print_command,
            Command::NodeToken(arguments) => arguments.login.print_command,
            _ => false,
        },
        style: Style {
            color: environment.color,
        },
        timing: matches!(&cli.command, Command::Deploy(arguments) if arguments.timing == Some(None)),
        width: environment.width,
        live: (environment.live && cli.output == Output::Plain && !cli.quiet)
            .then(Live::on_standard_output),
        ..Ui::default()
    };
    if let Err(problem) = ui.log(cli.log_file.as_deref(), cli.verbose >= 3) {
        return Refusal::from(problem).tell(&ui);
    }
    let run = tracing::debug_span!("run", process = std::process::id());
    command(cli.command, &environment, ui).instrument(run).await
}

async fn command(command: Command, environment: &Environment, ui: Ui) -> ExitCode {
    match command {
        Command::Deploy(arguments) => deploy::run(arguments, environment, ui).await,
        Command::Plan(arguments) => plan::run(arguments, environment, ui).await,
        Command::Kubeconfig(arguments) => kubeconfig::run(arguments, environment, ui).await,
        Command::Install(arguments) => install::run(*arguments, environment, ui).await,
        Command::Join(arguments) => join::run(*arguments, environment, ui).await,
        Command::GetConfig(arguments) => kubeconfig::of_host(arguments, environment, ui).await,
        Command::NodeToken(arguments) => node_token::run(arguments, environment, ui).await,
        Command::Reset(arguments) => reset::run(arguments, environment, ui).await,
        Command::Upgrade(arguments) => upgrade::run(*arguments, environment, ui).await,
        Command::Snapshot { what } => snapshot::run(*what, environment, ui).await,
        Command::Recover(arguments) => restore::recover(*arguments, environment, ui).await,
        Command::Trust(arguments) => trust::run(arguments, environment, ui).await,
        Command::User { what } => Box::pin(user::run(what, environment, ui)).await,
        Command::Ready(arguments) => ready::run(&arguments, environment, ui).await,
        Command::Inventory { what } => inventory::run(what, environment, &ui).await,
        Command::Schema { of } => {
            let schema = match of {
                Schema::Inventory => crate::inventory::schema(&crate::distribution::DIALECTS),
                Schema::Events => crate::run::schema(),
            };
            ui.out(&serde_json::to_string_pretty(&schema).unwrap_or_default());
            ExitCode::Success
        }
        Command::Version => {
            ui.out(&format!("towline {}", env!("CARGO_PKG_VERSION")));
            ExitCode::Success
        }
        Command::Uninstall { rest } => {
            let problem = Problem::new(Code::COMMAND_LINE, "k3s is removed with  towline reset")
                .next("to see what it would do")
                .command("towline reset -i FILE --plan")
                .next("without an inventory, repeat the install or join command with")
                .flag("--save-inventory FILE");
            let ui = match Output::of(&rest) {
                Output::Json => Ui::json(),
                Output::Plain => ui,
            };
            Refusal::from(problem).tell(&ui)
        }
        Command::Cache { what } => cache::run(what, environment, &ui),
        Command::Explain { codes } => explain::run(&codes, &ui),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "towline", &mut script);
            ui.out(&String::from_utf8_lossy(&script));
            ExitCode::Success
        }
    }
}

/// Tells what is wrong with a command line, or the help or version that it asks for.
pub fn mistyped(error: &clap::Error, output: Output) -> ExitCode {
    if !error.use_stderr() || output == Output::Plain {
        // There is nothing to be said where nothing can be written.
        drop(error.print());
        return if error.use_stderr() {
            ExitCode::Refused
        } else {
            ExitCode::Success
        };
    }
    let problem = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        Problem::new(Code::COMMAND_LINE, "there is no command")
            .next("to list them")
            .flag("--help")
    } else {
        let text = error.render().to_string();
        let mut parts = text.trim().split("\n\n").map(str::trim);
        let what = parts.next().unwrap_or_default();
        let what = Problem::new(
            Code::COMMAND_LINE,
            what.strip_prefix("error: ").unwrap_or(what),
        );
        parts.fold(what, Problem::next)
    };
    Refusal::from(problem).tell(&Ui::json())
}
