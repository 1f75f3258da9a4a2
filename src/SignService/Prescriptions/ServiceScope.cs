namespace Trust.SignService.Prescriptions;

/// <summary>What may be prescribed online, and for how long it holds (docs/RULES.md §4 and 5). Pure: content and instant in, refusal out.</summary>
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
            ?? (content.FollowUp ? null : Refusal.Content("first-visit", "Online service is for follow-up visits with the record of an earlier diagnosis."))
            ?? (Categories.Contains(content.Category, StringComparer.Ordinal) && content.Medicines.All(m => m.ControlClass == "none")
                ? null : Refusal.Content("controlled-medicine", "Narcotic, psychotropic and other special-control medicines are not prescribed online."))
            ?? Child(content, today)
            ?? Quantity(content, options)
            ?? (ValidUntil(content, options) <= now ? Refusal.Content("expired", "The prescription's validity is already over.") : null)
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
            : Refusal.Content("authored-on", "A prescription is dated when it is written, within five minutes of this service's clock.");

    private static Refusal? Child(PrescriptionContent content, DateOnly today)
    {
        var age = today.Year - content.BirthDate.Year - (today < content.BirthDate.AddYears(today.Year - content.BirthDate.Year) ? 1 : 0);
        if (age < 0)
        {
            return Refusal.Content("birth-date", "The patient's birth date lies in the future.");
        }

        if (age < 6 && !content.GuardianPresent)
        {
            return Refusal.Content("child-under-six", "A child under six needs its guardian and the relevant specialist present.");
        }

        return age < 14 && content.Weight is null ? Refusal.Content("weight-missing", "A child's prescription states the weight.") : null;
    }

    private static Refusal? Quantity(PrescriptionContent content, SignOptions options)
    {
        if (content.Medicines.Count > options.MaximumMedicines)
        {
            return Refusal.Content("too-many-medicines", $"At most {options.MaximumMedicines} medicines stand on one prescription.");
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
                return Refusal.Content("quantity", $"The supply is {medicine.Days} days; {most} are allowed for this category (longer for chronic disease, with a reason).");
            }
        }

        return null;
    }

    private static Refusal? Stated(PrescriptionContent content, SignOptions options)
    {
        var issued = DayOf(content.AuthoredOn);
        return content.ValidUntil > LastDay(issued, options.MaximumValidityDays, options)
            ? Refusal.Content("validity-too-long", $"A prescription is valid for at most {options.MaximumValidityDays} days.")
            : null;
    }

    private static DateOnly LastDay(DateOnly issued, int days, SignOptions options) => issued.AddDays(options.CountIssueDay ? days - 1 : days);

    private static DateOnly Earlier(DateOnly a, DateOnly b) => a < b ? a : b;
}
