using System.Text.Json.Serialization;

namespace Trust.Kernel.Residency;

/// <summary>What is done with data, or with the key that protects them.</summary>
[JsonConverter(typeof(WordConverter<ResidencyAction>))]
public enum ResidencyAction
{
    /// <summary>Kept at rest.</summary>
    [JsonStringEnumMemberName("store")]
    Store,

    /// <summary>Copied to a standby or mirror.</summary>
    [JsonStringEnumMemberName("replicate")]
    Replicate,

    /// <summary>Copied to a backup or archive.</summary>
    [JsonStringEnumMemberName("backup")]
    Backup,

    /// <summary>A key made.</summary>
    [JsonStringEnumMemberName("keygen")]
    KeyGeneration,

    /// <summary>A key taken out of its token, wrapped or not.</summary>
    [JsonStringEnumMemberName("keyExport")]
    KeyExport,

    /// <summary>Looked at; from outside the mainland that is an export (出境).</summary>
    [JsonStringEnumMemberName("access")]
    Access,

    /// <summary>Given to another body.</summary>
    [JsonStringEnumMemberName("provide")]
    Provide,
}

/// <summary>How strictly a policy words its demand.</summary>
[JsonConverter(typeof(WordConverter<RuleForce>))]
public enum RuleForce
{
    /// <summary>不得: never.</summary>
    [JsonStringEnumMemberName("absolute")]
    Absolute,

    /// <summary>应当.</summary>
    [JsonStringEnumMemberName("must")]
    Must,

    /// <summary>原则上.</summary>
    [JsonStringEnumMemberName("inPrinciple")]
    InPrinciple,
}

/// <summary>What a policy lets data leave its boundary by.</summary>
[JsonConverter(typeof(WordConverter<RuleExit>))]
public enum RuleExit
{
    /// <summary>Nothing.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>A recorded approval of the local authority.</summary>
    [JsonStringEnumMemberName("localApproval")]
    LocalApproval,

    /// <summary>The national security assessment (安全评估).</summary>
    [JsonStringEnumMemberName("securityAssessment")]
    SecurityAssessment,
}

/// <summary>One demand of one policy, as data: within a boundary, some acts on some classes of data that come from a part of the country.</summary>
/// <param name="Id">Names it in refusals and events, for example <c>CQ-33</c>.</param>
/// <param name="Clause">Document and clause.</param>
/// <param name="Governs">Region whose institutions' data it governs, with all that lies in it.</param>
/// <param name="Classes">Classes of data.</param>
/// <param name="Actions">Acts.</param>
/// <param name="Boundary">Region that the data may not leave.</param>
/// <param name="Force">How the policy words it. What it means in a case is said by <paramref name="Exit"/>.</param>
/// <param name="Exit">By what data may leave all the same.</param>
public sealed record ResidencyRule(
    string Id, string Clause, string Governs, DataClass Classes, IReadOnlyList<ResidencyAction> Actions, string Boundary, RuleForce Force, RuleExit Exit)
{
    /// <summary>The rule that no file can leave out: data of an unknown region are governed by nobody, so nothing may be done with them.</summary>
    public static ResidencyRule RegionUnknown { get; } = new(
        "region-unknown", "GB/T 2260", RegionTree.Mainland, (DataClass)0x1FF, Enum.GetValues<ResidencyAction>(), RegionTree.Mainland, RuleForce.Absolute, RuleExit.None);
}
