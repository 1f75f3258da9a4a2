using Trust.Kernel.Hosting;

namespace Trust.SignService.Seals;

/// <summary>What is refused about institutions' seals.</summary>
[RefusalCatalogue("sign")]
public static class SealRefusals
{
    /// <summary>No such institution, or one that may not seal.</summary>
    public static readonly Refusal UnknownInstitution = new("unknown-institution", 404,
        "登记库中没有这家机构，或该机构目前不能使用电子印章，请核对机构标识。", "The registry knows no such institution that may seal now; check its identifier.");

    /// <summary>Another name than the registered one.</summary>
    public static readonly Refusal InstitutionName = new("name", 422,
        "印章的名称以登记名称为准，请填写登记名称或不填。", "A seal bears the institution's registered name; give that one or none.");

    /// <summary>No key yet.</summary>
    public static readonly Refusal UnknownSeal = new("unknown-seal", 404,
        "该机构尚无印章密钥，请先获取印章的证书请求。", "The institution has no seal key yet; ask for the seal's request first.");

    /// <summary>No certificate yet.</summary>
    public static readonly Refusal NoSeal = new("no-seal", 409,
        "该机构的电子印章尚未取得证书，请先提交印章证书。", "The institution has no certified seal yet; bring its certificate first.");

    /// <summary>The certificate in use is not valid now.</summary>
    public static readonly Refusal SealCertificate = new("seal-certificate", 409,
        "电子印章的证书目前无效，请为印章换发证书。", "The seal's certificate is not valid now; obtain a new one for the seal.");

    /// <summary>Not PEM certificates.</summary>
    public static readonly Refusal MalformedCertificate = new("malformed-certificate", 400,
        "证书链不是 PEM 格式的证书，请从印章证书开始依次提交。", "The chain is not PEM certificates; send them beginning with the seal's.");

    /// <summary>For another key or institution.</summary>
    public static readonly Refusal OtherCertificate = new("other-certificate", 409,
        "该证书属于其他密钥或其他机构，请提交按本印章的请求签发的证书。", "The certificate is for another key or another institution; bring the one issued on this seal's request.");

    /// <summary>Older than the one in use.</summary>
    public static readonly Refusal OlderCertificate = new("older-certificate", 409,
        "印章已在使用更新的证书，不接受较旧的证书。", "A newer certificate is in use; an older one is not taken.");

    /// <summary>Not ours, not for sealing, or not valid now.</summary>
    public static readonly Refusal CertificateUntrusted = new("certificate-untrusted", 409,
        "该证书不是本系统签发的、目前有效的印章证书。", "The certificate is not one of ours for sealing, valid now; bring one that is.");

    /// <summary>Empty or too large a document.</summary>
    public static readonly Refusal PayloadSize = new("payload-size", 422,
        "可加盖印章的文件为 1 字节至 128 KiB，请拆分或压缩。", "A document of 1 byte to 128 KiB is sealed; split or compress it.");
}
