"""Which file names say by themselves that nothing is suggested: secrets, and files nobody writes.

Plain name patterns, without regard to case. Knows nothing of folders or of the user's own rules.
"""

from fnmatch import fnmatchcase

SECRETS = (
    ".env*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.pkcs12",
    "*.p8",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.asc",
    "*.gpg",
    "*.ovpn",
    "*.tfvars",
    "*.tfvars.json",
    "*.tfstate",
    "*.tfstate.*",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "credentials*",
    "secrets.*",
    "secret.json",
    "secret.y*ml",
    "secret.txt",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    "kubeconfig",
    "*.kubeconfig",
    ".vault-token",
    "service-account*.json",
    "service_account*.json",
)
NOT_SECRET = (".env.example", ".env.sample", ".env.template", ".env.dist", ".envrc.example")
"""Made to be read by everyone, though a pattern above fits."""
SECRET_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".kube", ".azure"})

LOCK_FILES = (
    "*.lock",
    "*.lockb",
    "*-lock.json",
    "pnpm-lock.yaml",
    "npm-shrinkwrap.json",
    "go.sum",
    "*.lock.hcl",
    "packages.lock.json",
)
GENERATED = (
    "*.min.js",
    "*.min.mjs",
    "*.min.css",
    "*.bundle.js",
    "*.map",
    "*_pb2.py",
    "*_pb2.pyi",
    "*_pb2_grpc.py",
    "*.pb.go",
    "*.pb.cc",
    "*.pb.h",
    "*.g.dart",
    "*.freezed.dart",
    "*.generated.*",
    "*.g.cs",
    "*.designer.cs",
)


def why_name_excluded(name: str, parents: tuple[str, ...] = ()) -> str | None:
    """Say in a sentence why nothing is suggested in a file of this name; None when something is.

    Args:
        name: last part of the path.
        parents: the folders above, in any order.
    """
    lower = name.lower()
    if _fits(lower, SECRETS) and not _fits(lower, NOT_SECRET):
        return f"{name} may hold secrets; nothing is read or suggested there."
    for parent in parents:
        if parent.lower() in SECRET_FOLDERS:
            return f"{name} lies in {parent}, which may hold secrets; nothing is read there."
    if _fits(lower, LOCK_FILES):
        return f"{name} is a lock file, which a tool writes; nothing is suggested there."
    if _fits(lower, GENERATED):
        return f"{name} is generated or minified; nothing is suggested there."
    return None


def _fits(lower_name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(lower_name, pattern) for pattern in patterns)
