//! The tables of the file that have no secrets.

use std::path::Path;

use serde_json::{Value, json};

use super::{Writer, percent, table};
use crate::config::{
    ClientAuth, Listener, LogFormat, Protocol, Quarantine, Service, Source, TlsVersion, Upstream,
    UseLimits,
    units::{written_duration, written_size},
};

impl Writer<'_> {
    pub(super) fn listener(&self, listener: &Listener) -> Value {
        let tls = listener.tls.as_ref().map(|tls| {
            let pairs = tls.certificates.iter().map(|files| {
            json!({ "certificate": self.path(&files.certificate), "key": self.path(&files.key) })
        });
            table(json!({
                "certificates": pairs.collect::<Vec<_>>(),
                "client_ca": tls.client_ca.as_deref().map(|ca| self.path(ca)),
                "client_auth": match tls.client_auth {
                    ClientAuth::Off => Value::Null,
                    ClientAuth::Optional => "optional".into(),
                    ClientAuth::Required => "required".into(),
                },
                "min_version": match tls.min_version {
                    TlsVersion::V1_2 => "1.2",
                    TlsVersion::V1_3 => "1.3",
                },
            }))
        });
        // Beside `tls` it cannot stand.
        let redirect = listener
            .redirect_to_https
            .map(|redirect| json!({ "port": redirect.port, "status": redirect.status.as_u16() }));
        table(json!({
            "address": listener.address.to_string(),
            "tls": tls,
            "redirect_to_https": redirect,
            "half_close": listener.half_close,
        }))
    }

    pub(super) fn upstream(&self, upstream: &Upstream) -> Value {
        let endpoints = upstream.endpoints.iter().map(|endpoint| {
            let host = &endpoint.host;
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            json!({ "address": format!("{host}:{}", endpoint.port), "weight": endpoint.weight })
        });
        let tls = upstream.tls.as_ref().map(|tls| {
            let own = tls.client_certificate.as_ref();
            table(json!({
                "server_name": tls.server_name,
                "ca": tls.ca.as_deref().map(|ca| self.path(ca)),
                "certificate": own.map(|own| self.path(&own.certificate)),
                "key": own.map(|own| self.path(&own.key)),
                "verify": tls.verify,
            }))
        });
        table(json!({
            "endpoints": endpoints.collect::<Vec<_>>(),
            "protocol": match upstream.protocol {
                Protocol::Http1 => "http1",
                Protocol::Http2 => "http2",
                Protocol::Auto => "auto",
            },
            "balance": "round_robin",
            "tls": tls,
            "timeouts": {
                "connect": written_duration(upstream.connect_timeout),
                "first_byte": written_duration(upstream.first_byte_timeout),
                "idle": written_duration(upstream.idle_timeout),
            },
            "keepalive": {
                "max_idle": upstream.keepalive_max_idle,
                "idle": written_duration(upstream.keepalive_idle),
            },
        }))
    }

    pub(super) fn service(&self, service: &Service) -> Value {
        let limits = &service.limits;
        table(json!({
            "component": self.source(&service.component),
            "grants": table(json!({ "upstreams": service.upstreams })),
            "limits": {
                "cpu": written_duration(limits.cpu),
                "timeout": written_duration(limits.timeout),
                "memory": written_size(limits.memory as u64),
                "table": limits.table,
                "max_instances": limits.max_instances,
                "calls": limits.calls,
                "log_lines": limits.log_lines,
            },
        }))
    }

    /// As the file may write it: from its own folder.
    pub(super) fn path(&self, path: &Path) -> String {
        let folder = self.config.document.folder();
        let path = path.strip_prefix(folder).unwrap_or(path);
        if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
    }

    pub(super) fn source(&self, source: &Source) -> String {
        source.file().map_or_else(|| source.to_string(), |file| self.path(file))
    }

    pub(super) fn limits(&self) -> Value {
        let limits = &self.config.limits;
        json!({
            "max_connections": limits.max_connections,
            "header_timeout": written_duration(limits.header_timeout),
            "body_idle": written_duration(limits.body_idle),
            "keepalive_idle": written_duration(limits.keepalive_idle),
            "tunnel_idle": limits.tunnel_idle.map_or("none".into(), written_duration),
            "max_header_bytes": written_size(limits.max_header_bytes as u64),
            "max_headers": limits.max_headers,
            "max_uri_bytes": written_size(limits.max_uri_bytes as u64),
            "max_request_body": limits.max_request_body.map_or("none".into(), written_size),
            "http2": {
                "max_concurrent_streams": limits.http2_max_concurrent_streams,
                "max_reset_streams": limits.http2_max_reset_streams,
                "initial_window": written_size(limits.http2_initial_window.into()),
            },
        })
    }

    pub(super) fn telemetry(&self) -> Value {
        let telemetry = &self.config.telemetry;
        let format = match telemetry.log_format {
            LogFormat::Auto => "auto",
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let access_log = telemetry.access_log.as_ref().map(|log| {
            let to = log.path.as_deref().map_or_else(|| "stdout".into(), |path| self.path(path));
            json!({ "path": to, "format": "json", "sample": percent(log.sample) })
        });
        table(json!({
            "log": { "level": telemetry.log_level, "format": format },
            "access_log": access_log,
        }))
    }
}

pub(super) fn use_limits(limits: &UseLimits) -> Value {
    json!({
        "cpu": written_duration(limits.cpu),
        "timeout": written_duration(limits.timeout),
        "memory": written_size(limits.memory as u64),
        "table": limits.table,
        "max_body": written_size(limits.max_body),
        "max_instances": limits.max_instances,
        "calls": limits.calls,
        "attributes": limits.attributes,
        "attribute_bytes": written_size(limits.attribute_bytes as u64),
        "log_lines": limits.log_lines,
        "series": limits.series,
    })
}

pub(super) fn quarantine(quarantine: &Quarantine) -> Value {
    json!({
        "traps": quarantine.traps,
        "window": written_duration(quarantine.window),
        "retry": written_duration(quarantine.retry),
        "max_retry": written_duration(quarantine.max_retry),
    })
}
