//! The `pondhawk` binary.

/// Messages are made on one shard and freed on another, and connections come and go in storms:
/// docs/benchmarks.md has the comparison with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    pondhawk::cli::main()
}
