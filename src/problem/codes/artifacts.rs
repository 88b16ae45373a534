//! Binaries: downloads, mirrors, the cache, and files that are brought along.

super::codes! {
    "Downloads and binaries";

    /// A file of a release cannot be fetched. There is no way to the internet from here, a proxy is needed, the
    /// version does not exist, or the server has a fault.
    ///
    /// # Remedy
    /// Try the address in the message. A proxy is taken from `HTTPS_PROXY`. Without a way to the internet, fetch
    /// the binary elsewhere or name a mirror in the inventory:
    ///
    /// ```yaml
    /// cluster: {binary: {source: path, path: /path/to/binary}}
    /// cluster: {binary: {source: push, mirror: https://mirror.example.org/k3s}}
    /// ```
    DOWNLOAD_FAILED "download-failed";

    /// A file was fetched and is not the one that it should be: its hash differs, it is for another processor, it
    /// is too large, or the list of hashes does not name it. Nothing of it was kept or installed.
    ///
    /// # Remedy
    /// Run the same command again. If it stays so, a mirror or a proxy on the way alters the file; compare its
    /// hash with the one that the release announces.
    DOWNLOAD_WRONG "download-wrong";

    /// The address of a mirror is not a web address.
    ///
    /// # Remedy
    /// Write it as `https://host/path`. Below it, the files lie as in the releases of the project:
    /// `PATH/VERSION/FILE`.
    MIRROR_INVALID "mirror-invalid";

    /// The address of the proxy is not one that can be used.
    ///
    /// # Remedy
    /// Write `HTTPS_PROXY` as `http://host:port`, with `user:password@` before the host if it asks for them.
    PROXY_INVALID "proxy-invalid";

    /// The channel is not one, or the server of the channels does not say which version it is.
    ///
    /// # Remedy
    /// Channels are `stable`, `latest` and one per minor version, such as `v1.36`. An exact `version` under
    /// `cluster` needs no channel.
    CHANNEL_INVALID "channel-invalid";

    /// A version is not written as the distribution writes its versions.
    ///
    /// # Remedy
    /// Write it in full, such as `v1.36.3+k3s1`.
    VERSION_INVALID "version-invalid";

    /// The folder in which downloads are kept cannot be used.
    ///
    /// # Remedy
    /// Free some space, correct its owner, or let it lie elsewhere with `XDG_CACHE_HOME`. What is in it can
    /// be fetched again:
    ///
    /// ```sh
    /// towline cache clean
    /// ```
    CACHE_UNUSABLE "cache-unusable";

    /// The binary that the inventory names cannot be used: it is missing, empty, or no Linux program for a
    /// processor that is supported.
    ///
    /// # Remedy
    /// Take the file of a release as it is, for the processor of the hosts, and name it:
    ///
    /// ```yaml
    /// cluster: {binary: {source: path, path: /path/to/binary}}
    /// ```
    BINARY_UNUSABLE "binary-unusable";

    /// The binary that the inventory names is for another processor than hosts have.
    ///
    /// # Remedy
    /// Name one for these hosts. With hosts of several kinds, let towline choose: `binary: {source: push}`
    /// fetches the right one for each host.
    BINARY_ARCHITECTURE "binary-architecture";

    /// The binary is not the file whose SHA-256 the inventory names.
    ///
    /// # Remedy
    /// Compare it with the hash that the release announces, and correct the file or `sha256` in the inventory:
    ///
    /// ```sh
    /// sha256sum FILE
    /// ```
    BINARY_HASH "binary-hash";

    /// The inventory names a binary and no version. What is planned depends on the version, and the file is not
    /// run to ask it.
    ///
    /// # Remedy
    /// Write `version` under `cluster`, as `FILE --version` says it.
    BINARY_VERSION "binary-version";
}
