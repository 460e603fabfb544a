//! AWS takes 50 MB of zipped code. lld, Rust's linker on x86-64 Linux, can keep functions of equal code once; nothing here
//! compares addresses of functions.

fn main() {
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    if target("ARCH") == "x86_64" && target("OS") == "linux" {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
