//! What resources are called on a bill.

use cloudstack_usage::{ResourceId, UsageType};

/// How CloudStack begins the descriptions of a type, before the resource's own name.
/// Source: `ApiResponseHelper.createUsageResponse`, CloudStack 4.13 to 4.23, and the parsers
/// of the usage server for addresses, networks and VPCs.
const PREFIXES: &[(UsageType, &str)] = &[
    (UsageType::IpAddress, "IPAddress: "),
    (UsageType::Volume, "Volume usage for "),
    (UsageType::Template, "Template usage for "),
    (UsageType::Iso, "ISO usage for "),
    (UsageType::Snapshot, "Snapshot usage for "),
    (UsageType::LoadBalancer, "Loadbalancer policy usage "),
    (UsageType::PortForwarding, "Port forwarding rule usage "),
    (UsageType::NetworkOffering, "Network offering "),
    (UsageType::VpnUser, "VPN usage for user "),
    (UsageType::Network, "Network usage for "),
    (UsageType::Vpc, "VPC usage for "),
];

/// The name of a resource that only its usage records know: what stands between the
/// beginning that all descriptions of the type have and the id in parentheses. The whole
/// description where that is not how it looks.
pub(crate) fn from_description(
    usage_type: UsageType,
    identity: &ResourceId,
    description: &str,
) -> String {
    let description = description.trim();
    let prefix = PREFIXES
        .iter()
        .find(|(of, _)| *of == usage_type)
        .map(|(_, prefix)| *prefix);
    let Some(rest) = prefix.and_then(|prefix| description.strip_prefix(prefix)) else {
        return description.to_owned();
    };
    // a NIC's description names its offering; the record's identity is the VM's
    let after = if usage_type == UsageType::NetworkOffering {
        " (".to_owned()
    } else {
        format!("({identity})")
    };
    let name = rest.split_once(&after).map_or(rest, |(name, _)| name);
    match name.trim() {
        "" => identity.to_string(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_odd_descriptions_stay_whole() {
        let id = ResourceId::new("0a49afad-eede-41e2-9668-cbf3866bd64b");
        let name = |usage_type, text: &str| from_description(usage_type, &id, text);
        let volume = "Volume usage for my disk (old) (0a49afad-eede-41e2-9668-cbf3866bd64b) and size (2.00 GB) 2147483648";
        assert_eq!(name(UsageType::Volume, volume), "my disk (old)");
        let rule = "Port forwarding rule usage (0a49afad-eede-41e2-9668-cbf3866bd64b)";
        assert_eq!(
            name(UsageType::PortForwarding, rule),
            "0a49afad-eede-41e2-9668-cbf3866bd64b"
        );
        let nic = "Network offering Isolated (5026fc0d-ef13-4596-9b61-751ef722237c) usage for VM a (0a49afad-eede-41e2-9668-cbf3866bd64b) ";
        assert_eq!(name(UsageType::NetworkOffering, nic), "Isolated");
        assert_eq!(
            name(UsageType::IpAddress, "IPAddress: 192.0.2.5"),
            "192.0.2.5"
        );
        assert_eq!(
            name(
                UsageType::Network,
                "Network usage for network ID: 7, network offering: 1"
            ),
            "network ID: 7, network offering: 1"
        );
        assert_eq!(
            name(UsageType::Volume, "Volume Id: 12 usage time"),
            "Volume Id: 12 usage time"
        );
    }
}
