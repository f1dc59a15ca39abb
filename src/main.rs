//! The `pondhawk` binary.

fn main() -> std::process::ExitCode {
    pondhawk::cli::main()
}
