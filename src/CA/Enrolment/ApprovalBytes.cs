using System.Text;

namespace Trust.CA.Enrolment;

/// <summary>What an approving officer's card signs: tagged lines, so that no other text of the system can be mistaken for it.</summary>
public static class ApprovalBytes
{
    /// <summary>The bytes for one request.</summary>
    public static byte[] Encode(Guid id, byte[] requestSha256, byte[] profileSha256, byte[] registrySha256) => Encoding.ASCII.GetBytes(
        $"trust.approval.v1\nid {id:D}\nrequest {Convert.ToHexStringLower(requestSha256)}\nprofile {Convert.ToHexStringLower(profileSha256)}\n"
        + $"registry {Convert.ToHexStringLower(registrySha256)}\n");
}
