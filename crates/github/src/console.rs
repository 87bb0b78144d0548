//! URLs of images in the AWS console.

/// The console page of an image. None for IDs that are not AMIs, and for partitions without a public console.
///
/// Hosts by partition: AWS General Reference, "AWS Management Console endpoints".
pub fn image(region: &str, id: &str) -> Option<String> {
    let is_id =
        id.strip_prefix("ami-").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit()));
    let is_region =
        region.contains('-') && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_id || !is_region {
        return None;
    }
    let host = match region.split('-').next().unwrap_or_default() {
        "cn" => format!("{region}.console.amazonaws.cn"),
        "eusc" => format!("{region}.console.amazonaws-eusc.eu"),
        "us" if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com".to_owned(),
        "us" if region.starts_with("us-iso") => return None,
        _ if region.contains("-iso") => return None,
        _ => format!("{region}.console.aws.amazon.com"),
    };
    Some(format!("https://{host}/ec2/home?region={region}#ImageDetails:imageId={id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_console() {
        let page = |region: &str| image(region, "ami-0a1").unwrap_or_default();
        assert_eq!(
            page("eu-west-1"),
            "https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#ImageDetails:imageId=ami-0a1"
        );
        assert!(page("cn-north-1").starts_with("https://cn-north-1.console.amazonaws.cn/ec2/"));
        assert!(
            page("us-gov-west-1").starts_with("https://console.amazonaws-us-gov.com/ec2/home?region=us-gov-west-1")
        );
        assert!(page("us-iso-east-1").is_empty() && page("eu-isoe-west-1").is_empty());
    }

    #[test]
    fn only_an_ami_of_a_region_is_linked() {
        assert_eq!(image("us-east-1", "sha256:00"), None);
        assert_eq!(image("us-east-1", "ami-0a1) [x](https://evil"), None);
        assert_eq!(image("evil.example/us-east-1", "ami-0a1"), None);
    }
}
