"""Bearer tokens: JSON Web Tokens verified with the keys that their issuers publish. Imported where `auth.jwt` is set."""
