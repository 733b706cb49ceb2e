//! The server's process: flags, log, runtime. Everything else is in the library.

use std::process::ExitCode;
use std::sync::Arc;

use silverback::api::Api;
use silverback::config::{Config, LogFormat, LogLevel};
use silverback::db::{Db, Options};
use silverback::error;
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
    tracing::debug!(version = env!("CARGO_PKG_VERSION"), path = %config.path.display(), "starting");
    let api = Api::new(config.api_options());
    let registry = metrics::registry(&api);
    let exposition: Arc<dyn Fn() -> String + Send + Sync> =
        Arc::new(move || metrics::exposition(&registry));
    let served = exposition.clone();
    api.set_exposition(move || served());
    let storage = config.db_options();
    let open = move || open_database(storage);
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

/// Opens the data directory and says in the log what was found there.
fn open_database(options: Options) -> Result<Arc<Db>, Fatal> {
    let memory_budget_bytes = options.memory_budget_bytes;
    let db = Db::open(options).map_err(|error| Fatal(error::chain(&error)))?;
    let recovery = db.recovery();
    for damage in &recovery.damages {
        let lost = damage.lost.as_ref().map(|lost| format!("{}-{}", lost.start(), lost.end()));
        tracing::error!(
            error = %damage.corrupt, bytes = damage.len_bytes, lost_requests = lost,
            "the write-ahead log is damaged; everything around the damage was recovered"
        );
    }
    if recovery.orphaned_samples > 0 {
        tracing::warn!(
            samples = recovery.orphaned_samples,
            "samples are lost, since what series they belong to was in a damaged place of the log"
        );
    }
    if recovery.redefined_series > 0 {
        tracing::warn!(
            series = recovery.redefined_series,
            "the write-ahead log gives refs of series to other series; some of their samples may be mixed up"
        );
    }
    tracing::info!(
        requests = recovery.records,
        samples = recovery.samples,
        series = recovery.series,
        trimmed_bytes = recovery.trimmed_bytes,
        took_ms = recovery.took.as_millis() as u64,
        memory_budget_bytes,
        "database opened"
    );
    Ok(db)
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
