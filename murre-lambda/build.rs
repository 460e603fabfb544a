//! The archive of a function has a limit, and every byte of it is fetched on a cold start. lld, Rust's linker on x86-64
//! Linux, can keep functions of equal code once; nothing here compares addresses of functions, or of constants.
//!
//! Constants have to be folded with them: a `match` is a table of jumps, and two functions with a table each are not equal
//! before their tables are. Most of it is sqlparser's syntax tree, which plans hold, and of which every crate that hashes,
//! compares or drops plans has its own copies of the code to do so.

fn main() {
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    if target("ARCH") == "x86_64" && target("OS") == "linux" {
        for argument in ["--icf=all", "--ignore-data-address-equality"] {
            println!("cargo:rustc-link-arg-bins=-Wl,{argument}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}
