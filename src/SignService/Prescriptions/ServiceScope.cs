using Trust.Kernel.Hosting;

namespace Trust.SignService.Prescriptions;

/// <summary>What may be prescribed online, and for how long it holds (docs/RULES.md §4 and 5). Content and instant in, refusal out; no other input.</summary>
public static class ServiceScope
{
    // China has one time zone and no daylight saving since 1991; the machine may lack the zone database.
    private static readonly TimeSpan Shanghai = TimeSpan.FromHours(8);
    private static readonly TimeSpan AuthoredTolerance = TimeSpan.FromMinutes(5);

    private static readonly string[] Categories = ["ordinary", "emergency", "paediatric", "chronic"];

    /// <summary>The calendar day in China.</summary>
    public static DateOnly DayOf(DateTimeOffset at) => DateOnly.FromDateTime(at.ToOffset(Shanghai).DateTime);

    /// <summary>Judges a prescription's content; the first rule that refuses is named.</summary>
    public static Refusal? Judge(PrescriptionContent content, SignOptions options, DateTimeOffset now)
    {
        var today = DayOf(now);
        return Written(content, now)
            ?? (content.FollowUp ? null : ServiceScopeRefusals.FirstVisit)
            ?? (Categories.Contains(content.Category, StringComparer.Ordinal) && content.Medicines.All(m => m.ControlClass == "none")
                ? null : ServiceScopeRefusals.ControlledMedicine)
            ?? Child(content, today)
            ?? Quantity(content, options)
            ?? (ValidUntil(content, options) <= now ? ServiceScopeRefusals.Expired : null)
            ?? Stated(content, options);
    }

    /// <summary>The first instant at which the prescription is not valid: the end of the shortest of the doctor's, the region's and the nation's last day.</summary>
    public static DateTimeOffset ValidUntil(PrescriptionContent content, SignOptions options)
    {
        var issued = DayOf(content.AuthoredOn);
        var last = Earlier(content.ValidUntil, LastDay(issued, options.MaximumValidityDays, options));
        last = Earlier(last, LastDay(issued, options.RegionalWindowDays, options));
        return new DateTimeOffset(last.AddDays(1).ToDateTime(TimeOnly.MinValue), Shanghai).ToUniversalTime();
    }

    private static Refusal? Written(PrescriptionContent content, DateTimeOffset now) =>
        (content.AuthoredOn - now).Duration() <= AuthoredTolerance
            ? null
            : ServiceScopeRefusals.AuthoredOn;

    private static Refusal? Child(PrescriptionContent content, DateOnly today)
    {
        var age = today.Year - content.BirthDate.Year - (today < content.BirthDate.AddYears(today.Year - content.BirthDate.Year) ? 1 : 0);
        if (age < 0)
        {
            return ServiceScopeRefusals.BirthDate;
        }

        if (age < 6 && !content.GuardianPresent)
        {
            return ServiceScopeRefusals.ChildUnderSix;
        }

        return age < 14 && content.Weight is null ? ServiceScopeRefusals.WeightMissing : null;
    }

    private static Refusal? Quantity(PrescriptionContent content, SignOptions options)
    {
        if (content.Medicines.Count > options.MaximumMedicines)
        {
            return ServiceScopeRefusals.TooManyMedicines.With("most", options.MaximumMedicines);
        }

        foreach (var medicine in content.Medicines)
        {
            var most = (content.Category, medicine.LongTermReason) switch
            {
                ("emergency", _) => 3,
                ("chronic", not null) => 84,
                _ => 7,
            };
            if (medicine.Days < 1 || medicine.Days > most)
            {
                return ServiceScopeRefusals.Quantity.With("days", medicine.Days).With("most", most);
            }
        }

        return null;
    }

    private static Refusal? Stated(PrescriptionContent content, SignOptions options)
    {
        var issued = DayOf(content.AuthoredOn);
        return content.ValidUntil > LastDay(issued, options.MaximumValidityDays, options)
            ? ServiceScopeRefusals.ValidityTooLong.With("days", options.MaximumValidityDays)
            : null;
    }

    private static DateOnly LastDay(DateOnly issued, int days, SignOptions options) => issued.AddDays(options.CountIssueDay ? days - 1 : days);

    private static DateOnly Earlier(DateOnly a, DateOnly b) => a < b ? a : b;
}
