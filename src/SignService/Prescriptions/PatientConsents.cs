using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Residency;

namespace Trust.SignService.Prescriptions;

/// <summary>The identity provider's answer about a patient's consent to care.</summary>
/// <param name="Granted">Whether it stands now.</param>
/// <param name="NoticeVersion">Version of the notice acknowledged.</param>
/// <param name="ConsentId">The record.</param>
/// <param name="SubjectKey">The patient's ledger key, 64 hex characters.</param>
public sealed record PatientConsent(bool Granted, string? NoticeVersion, string? ConsentId, string? SubjectKey);

/// <summary>Asks the identity provider whether a patient has consented to online care at an institution. No answer is no consent.</summary>
public sealed class PatientConsents(Outbound outbound, ILogger<PatientConsents> log)
{
    /// <summary>The consent as of now; null when there was no answer.</summary>
    public async Task<PatientConsent?> Find(PatientId patient, InstitutionId institution, CancellationToken ct)
    {
        try
        {
            using var answer = await outbound.Client("idp").GetAsync(
                $"consents?patient={Uri.EscapeDataString(patient.Value)}&institution={Uri.EscapeDataString(institution.Value)}&kind=online-care", ct);
            // An unknown pseudonym has consented to nothing; any other failure is no answer.
            return answer.StatusCode == HttpStatusCode.NotFound
                ? new PatientConsent(false, null, null, null)
                : await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync(SignPeerJson.Default.PatientConsent, ct);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or UndeclaredPeerException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            SignLog.PeerAway(log, e.GetType().Name);
            return null;
        }
    }
}
