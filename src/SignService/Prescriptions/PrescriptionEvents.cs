using Trust.Kernel.Identifiers;
using Trust.LogFormat;

namespace Trust.SignService.Prescriptions;

/// <summary>The events a prescription leaves: every person and thing concerned, no clinical text.</summary>
public static class PrescriptionEvents
{
    /// <summary>Everyone and everything a prescription concerns: a hold on any of them keeps it.</summary>
    public static IReadOnlyList<SubjectKey> SubjectsOf(PrescriptionRow row) =>
    [
        SubjectKey.Prescription(row.Id.ToString("D")), SubjectKey.Patient(row.PatientKey), SubjectKey.Practitioner(row.Author.Value), SubjectKey.Institution(row.Institution.Value),
    ];

    /// <summary>One event about a prescription.</summary>
    /// <param name="action">Catalogue name.</param>
    /// <param name="row">The prescription.</param>
    /// <param name="actor">Who acted.</param>
    /// <param name="reason">Reason code when refused or returned.</param>
    /// <param name="refused">True when a rule refused the act.</param>
    /// <param name="onBehalfOf">The person for whom a system acted.</param>
    public static AuditEvent Of(string action, PrescriptionRow row, Actor actor, string? reason = null, bool refused = false, PersonId? onBehalfOf = null)
    {
        List<SubjectKey> subjects = [.. SubjectsOf(row)];
        if (PersonId.TryParse(actor.Subject, out var person))
        {
            subjects.Add(SubjectKey.Practitioner(person.Value));
        }

        if (onBehalfOf is { } named)
        {
            subjects.Add(SubjectKey.Practitioner(named.Value));
        }

        if (actor.Institution is { } institution)
        {
            subjects.Add(SubjectKey.Institution(institution));
        }

        if (actor.Certificate is { } certificate)
        {
            subjects.Add(SubjectKey.Certificate(certificate));
        }

        return new AuditEvent
        {
            Action = action,
            Actor = actor,
            Subjects = subjects,
            Outcome = refused ? EventOutcome.Refused : EventOutcome.Success,
            Class = "CLINICAL",
            Purpose = action is "RX.review" or "RX.return" ? "PHARMACY_REVIEW" : action is "RX.claim" or "RX.unclaim" or "RX.dispense" ? "DISPENSE" : "TREATMENT",
            Basis = "sha256:" + Convert.ToHexStringLower(row.PayloadSha256),
            OnBehalfOf = onBehalfOf?.Value,
            Reason = reason,
            RuleVersion = row.RuleVersion,
            Correlation = row.Id.ToString("D"),
        };
    }
}
