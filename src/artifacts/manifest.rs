//! Gets a manifest onto this machine. The cache holds it by its hash, `<cache>/manifests/<sha256>`, which
//! the inventory names: what has that hash is right, wherever it came from.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::cache::TEMPORARY;
use super::http::{HttpClient, Proxy};
use crate::digest::sha256 as digest;
use crate::problem::{Code, Problem, problem};

pub use super::http::shown;

/// The folder in the cache.
const FOLDER: &str = "manifests";

/// The text behind a URL, of that hash. Blocks.
///
/// # Errors
/// It cannot be fetched, is another one than the hash says, or is no text.
pub fn fetch(
    url: &str,
    sha256: &str,
    limit: u64,
    cache: &Path,
    proxy: Option<&Proxy>,
    tell: &dyn Fn(),
) -> Result<String, Problem> {
    let folder = cache.join(FOLDER);
    let kept = folder.join(sha256);
    if let Ok(text) = fs::read_to_string(&kept)
        && digest(&text) == sha256
    {
        return Ok(text);
    }
    tell();
    let proxy = proxy.and_then(|proxy| proxy.towards(Some(url)));
    let client = HttpClient::new(proxy, url.starts_with("http://"))?;
    let text = client.text(url, limit).map_err(|problem| {
        let next = "if this machine has no way there, fetch the file elsewhere, and name the file";
        Problem {
            next: Vec::new(),
            ..problem
        }
        .next(next)
        .inventory("cluster: {manifests: [manifests/NAME.yaml]}")
    })?;
    let received = digest(&text);
    if received != sha256 {
        return Err(problem!(
            Code::DOWNLOAD_WRONG,
            "{}: is not the file that the inventory names",
            shown(url)
        )
        .because(format!("expected sha256 {sha256}"))
        .because(format!("received sha256 {received}"))
        .because("nothing was kept of it, and nothing was changed"));
    }
    let store = || {
        fs::create_dir_all(&folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(&kept)?;
        Ok::<_, std::io::Error>(())
    };
    store().map_err(|error| {
        problem!(
            Code::CACHE_UNUSABLE,
            file = folder,
            "the cache cannot be used"
        )
        .because(error)
    })?;
    Ok(text)
}
