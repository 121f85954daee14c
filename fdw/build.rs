//! Link arguments of the unit tests: the pure parts of the extension are tested in a program that is no server, so the server's
//! symbols stay unresolved and nothing may call them. For the library itself this is how shared libraries link anyway, and the server
//! loads it with all symbols bound at once.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg=-Wl,--unresolved-symbols=ignore-all");
    println!("cargo::rustc-link-arg=-Wl,-z,lazy");
}
