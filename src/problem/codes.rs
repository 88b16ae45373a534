//! Every code of a problem.

use super::Code;

/// Declares each code as a constant of [`Code`], and the list of all.
macro_rules! codes {
    ($($constant:ident $name:literal;)+) => {
        impl Code {
            $(#[doc = concat!("`", $name, "`")]
            pub const $constant: Self = Self($name);)+
        }

        pub(super) const ALL: &[Code] = &[$(Code::$constant),+];
    };
}

codes! {
    ADDRESS_FAMILY_MISSING "address-family-missing";
    ADOPTION_CHANGES_SETTINGS "adoption-changes-settings";
    ADOPTION_UNSUPPORTED "adoption-unsupported";
    ANSWER_UNUSABLE "answer-unusable";
    API_CERTIFICATE_AUTHORITY "api-certificate-authority";
    API_CERTIFICATE_INVALID "api-certificate-invalid";
    API_CERTIFICATE_NAME "api-certificate-name";
    API_NAME_UNRESOLVED "api-name-unresolved";
    API_PORT_CLOSED "api-port-closed";
    API_UNAUTHORIZED "api-unauthorized";
    API_UNREACHABLE "api-unreachable";
    API_UNRESPONSIVE "api-unresponsive";
    ARCHITECTURE_UNSUPPORTED "architecture-unsupported";
    BINARY_ARCHITECTURE "binary-architecture";
    BINARY_HASH "binary-hash";
    BINARY_UNUSABLE "binary-unusable";
    BINARY_VERSION "binary-version";
    CACHE_UNUSABLE "cache-unusable";
    CGROUP_MISSING "cgroup-missing";
    CGROUP_V1 "cgroup-v1";
    CHANGED_MEANWHILE "changed-meanwhile";
    CHANNEL_INVALID "channel-invalid";
    CLOCK_WRONG "clock-wrong";
    CLUSTER_REMAINS "cluster-remains";
    COMMAND_FAILED "command-failed";
    COMMAND_LINE "command-line";
    COMMAND_MISSING "command-missing";
    CONNECTION_LOST "connection-lost";
    DATASTORE_EXTERNAL "datastore-external";
    DATA_DIR_DIFFERS "data-dir-differs";
    DATA_DIR_UNUSABLE "data-dir-unusable";
    DATA_MISSING "data-missing";
    DISK_FULL "disk-full";
    DISK_READ_ONLY "disk-read-only";
    DOWNLOAD_FAILED "download-failed";
    DOWNLOAD_WRONG "download-wrong";
    EDIT_BY_HAND "edit-by-hand";
    FILE_EXISTS "file-exists";
    FILE_UNREADABLE "file-unreadable";
    FILE_UNWRITABLE "file-unwritable";
    FLAG_MISSING "flag-missing";
    FLAG_UNFIT "flag-unfit";
    FLAG_VALUE "flag-value";
    HOSTNAME_SHARED "hostname-shared";
    HOST_CANCELLED "host-cancelled";
    HOST_KEY_CHANGED "host-key-changed";
    HOST_KEY_REVOKED "host-key-revoked";
    HOST_KEY_UNKNOWN "host-key-unknown";
    HOST_UNKNOWN "host-unknown";
    HOST_UNREACHABLE "host-unreachable";
    INOTIFY_LIMIT "inotify-limit";
    INTERNAL "internal";
    INTERRUPTED "interrupted";
    INVENTORY_INVALID "inventory-invalid";
    KMSG_MISSING "kmsg-missing";
    KNOWN_HOSTS_UNREADABLE "known-hosts-unreadable";
    KUBECONFIG_CONTEXT "kubeconfig-context";
    KUBECONFIG_INVALID "kubeconfig-invalid";
    KUBECONFIG_LOCKED "kubeconfig-locked";
    KUBECONFIG_MISSING "kubeconfig-missing";
    KUBECONFIG_NOT_REPLACED "kubeconfig-not-replaced";
    LIMIT_WITHOUT_HOST "limit-without-host";
    LOGIN_REFUSED "login-refused";
    MIRROR_INVALID "mirror-invalid";
    NETWORK_AMBIGUOUS "network-ambiguous";
    NETWORK_OVERLAP "network-overlap";
    NETWORK_RANGE "network-range";
    NODES_NOT_READY "nodes-not-ready";
    NODE_ADDRESS_CHANGED "node-address-changed";
    NODE_ADDRESS_MISSING "node-address-missing";
    NODE_ADDRESS_SHARED "node-address-shared";
    NODE_CONFIG_UNREADABLE "node-config-unreadable";
    NODE_NAME_INVALID "node-name-invalid";
    NODE_NAME_TAKEN "node-name-taken";
    NODE_RENAMED "node-renamed";
    NOT_A_REGULAR_FILE "not-a-regular-file";
    NO_CLUSTER "no-cluster";
    NO_COMMON_NETWORK "no-common-network";
    NO_CONVERGENCE "no-convergence";
    NO_QUORUM "no-quorum";
    NO_SERVER_LEFT "no-server-left";
    NO_SYSTEMD "no-systemd";
    OPEN_FILES "open-files";
    OS_UNSUPPORTED "os-unsupported";
    OTHER_CLUSTER "other-cluster";
    OTHER_KUBERNETES "other-kubernetes";
    OVERRIDES_INVALID "overrides-invalid";
    PACKAGE_BROKEN "package-broken";
    PLAYBOOK_INVALID "playbook-invalid";
    PORTS_BLOCKED "ports-blocked";
    PORT_TAKEN "port-taken";
    PROXY_INVALID "proxy-invalid";
    RESET_UNCONFIRMED "reset-unconfirmed";
    ROLE_CHANGED "role-changed";
    RUN_INCOMPLETE "run-incomplete";
    RUN_LOCKED "run-locked";
    SERVER_COUNT "server-count";
    SERVER_NOT_READY "server-not-ready";
    SERVER_SETTINGS_DIFFER "server-settings-differ";
    SERVER_UNREACHABLE "server-unreachable";
    SESSION_REFUSED "session-refused";
    SETTING_FIXED "setting-fixed";
    SETTING_INVALID "setting-invalid";
    SET_UP_ELSEWHERE "set-up-elsewhere";
    SOURCE_ENCRYPTED "source-encrypted";
    SOURCE_INVALID "source-invalid";
    SOURCE_OF_ANOTHER_TOOL "source-of-another-tool";
    SOURCE_TOO_LARGE "source-too-large";
    SOURCE_WITHOUT_SERVER "source-without-server";
    SQLITE_ONE_SERVER "sqlite-one-server";
    SSH_KEY_UNUSABLE "ssh-key-unusable";
    STEP_IMPOSSIBLE "step-impossible";
    STEP_TIMED_OUT "step-timed-out";
    STEP_WITHOUT_EFFECT "step-without-effect";
    SUDO_PASSWORD "sudo-password";
    SUDO_REFUSED "sudo-refused";
    TOKENS_DIFFER "tokens-differ";
    TOKEN_INVALID "token-invalid";
    TOKEN_REFUSED "token-refused";
    TWO_CLUSTERS "two-clusters";
    UNIT_FAILS "unit-fails";
    UNIT_MASKED "unit-masked";
    UNIT_MISSING "unit-missing";
    VAGRANT_FAILED "vagrant-failed";
    VAGRANT_MISSING "vagrant-missing";
    VAGRANT_NETWORK "vagrant-network";
    VAGRANT_NOT_RUNNING "vagrant-not-running";
    VAGRANT_UNREACHABLE "vagrant-unreachable";
    VERSIONS_DIFFER "versions-differ";
    VERSION_INVALID "version-invalid";
    VERSION_UNKNOWN "version-unknown";
}
