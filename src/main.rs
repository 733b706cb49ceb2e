//! The server's process: flags, log, runtime. Everything else is in the library.

use std::process::ExitCode;
use std::sync::Arc;

use silverback::api::Api;
use silverback::config::{Config, LogFormat, LogLevel};
use silverback::db::Db;
use silverback::server::{self, Fatal};
use silverback::telemetry::recorder::Recorder;
use silverback::telemetry::{logs, metrics};
use tracing::level_filters::LevelFilter;

/// Returns memory to the system and scales over threads better than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = Config::from_process();
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            eprintln!("silverback: {fatal}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> Result<(), Fatal> {
    let address = config.address().map_err(Fatal)?;
    config.check().map_err(Fatal)?;
    init_logs(&config);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), path = %config.path.display(), "starting");
    let api = Api::new(config.api_options());
    let registry = metrics::registry(&api.metrics);
    let exposition: Arc<dyn Fn() -> String + Send + Sync> =
        Arc::new(move || metrics::exposition(&registry));
    let served = exposition.clone();
    api.set_exposition(move || served());
    let open = || Ok(Arc::new(Db::default()));
    let record = async move |db, address| {
        if config.self_record {
            Recorder::new(db, address, exposition).start().await;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("silverback-http")
        .build()
        .map_err(|error| Fatal(format!("cannot start threads: {error}")))?;
    let connections = config.connection_options();
    let result = runtime.block_on(server::run(api, address, connections, open, record));
    // A canceled query may still be on its way to its next check; the process does not wait for it.
    runtime.shutdown_background();
    result
}

fn init_logs(config: &Config) {
    let level = match config.log_level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let format = match config.log_format {
        LogFormat::Logfmt => logs::Format::Logfmt,
        LogFormat::Json => logs::Format::Json,
    };
    logs::init(level, format);
}
