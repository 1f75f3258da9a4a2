using System.ComponentModel.DataAnnotations;

namespace Trust.SignService;

/// <summary>Configuration section <c>SignService</c>.</summary>
public sealed record SignOptions
{
    /// <summary>How long a prepared signature waits for its signer.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "00:30:00")]
    public TimeSpan PrepareLifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a draft that nobody signs is kept.</summary>
    [Range(typeof(TimeSpan), "00:31:00", "7.00:00:00")]
    public TimeSpan DraftLifetime { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Signature policy named in every signature (sigPId), an object identifier.</summary>
    [RegularExpression(@"^[0-2](\.\d+){2,20}$")]
    public string SignaturePolicy { get; init; } = "1.3.6.1.4.1.32473.1.2.1";

    /// <summary>Time-stamp policy, an object identifier.</summary>
    [RegularExpression(@"^[0-2](\.\d+){2,20}$")]
    public string TimeStampPolicy { get; init; } = "1.3.6.1.4.1.32473.1.3.1";

    /// <summary>Accuracy stated in time-stamps: how far this machine's clock may be off.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan ClockAccuracy { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest validity in days that a doctor may state (处方管理办法 art. 18: three).</summary>
    [Range(1, 3)]
    public int MaximumValidityDays { get; init; } = 3;

    /// <summary>Whether the day of issue is day 1 (the wording is ambiguous: domain decision).</summary>
    public bool CountIssueDay { get; init; } = true;

    /// <summary>Days within which the region wants the service completed; Sichuan: two. The shorter window rules.</summary>
    [Range(1, 3)]
    public int RegionalWindowDays { get; init; } = 2;

    /// <summary>Most medicines on one prescription.</summary>
    [Range(1, 5)]
    public int MaximumMedicines { get; init; } = 5;

    /// <summary>Version of the prescription rules, recorded in every event they decide.</summary>
    [RegularExpression("^[a-z0-9.-]{1,32}$")]
    public string RuleVersion { get; init; } = "rx-2026.2";
}
