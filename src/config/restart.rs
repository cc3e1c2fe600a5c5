//! What a reload cannot change: sockets, stores and what is built once from them.

use super::{AuditApi, Config, Limits};

impl Config {
    /// The settings of `next` that differ from these and wait for the next start.
    pub fn waiting_for_restart(&self, next: &Self) -> Vec<&'static str> {
        let at_start = |limits: &Limits| Limits {
            // These three belong to rules and backends, which a reload makes anew.
            call_timeout_ms: 0,
            page_size: 0,
            response_bytes: 0,
            ..*limits
        };
        let differs = [
            ("listen", self.listen != next.listen),
            ("admin", self.admin.listen != next.admin.listen),
            ("auditApi", without_certificate(self) != without_certificate(next)),
            // Which certificate it is may change at any time.
            ("tls", self.tls.is_some() != next.tls.is_some()),
            ("admin.tls", self.admin.tls.is_some() != next.admin.tls.is_some()),
            ("auditApi.tls", self.audit_api.tls.is_some() != next.audit_api.tls.is_some()),
            ("approval", self.approval != next.approval),
            ("publicUrl", self.public_url != next.public_url),
            ("dataDir", self.data_dir != next.data_dir),
            ("allowedOrigins", self.allowed_origins != next.allowed_origins),
            ("allowedHosts", self.allowed_hosts != next.allowed_hosts),
            ("limits", at_start(&self.limits) != at_start(&next.limits)),
            ("audit", self.audit != next.audit),
            ("search", self.search != next.search),
            ("telemetry", self.telemetry != next.telemetry),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(setting, _)| setting).collect()
    }
}

fn without_certificate(config: &Config) -> AuditApi {
    AuditApi { tls: None, ..config.audit_api.clone() }
}
