using System.Text;
using Trust.Kernel.Keys;

namespace Trust.SignService.Prescriptions;

/// <summary>
/// Seals a prescription's bytes and the reason of its return under its patient's key, and opens them. Bound to prescription and use: a row's bytes
/// open in no other row.
/// </summary>
public sealed class ClinicalText(PersonKeys keys)
{
    /// <summary>Seals the signed document; null when the patient was shredded.</summary>
    public Task<byte[]?> SealPayload(Guid prescription, string region, byte[] patient, byte[] payload, CancellationToken ct) =>
        keys.Seal(patient, region, payload, Context(prescription, "payload"), ct);

    /// <summary>Seals why it was returned; null when the patient was shredded.</summary>
    public Task<byte[]?> SealReason(Guid prescription, string region, byte[] patient, string reason, CancellationToken ct) =>
        keys.Seal(patient, region, Encoding.UTF8.GetBytes(reason), Context(prescription, "return"), ct);

    /// <summary>The signed document; null when the patient was shredded.</summary>
    public async Task<byte[]?> Payload(PrescriptionRow row, CancellationToken ct) => row.Payload switch
    {
        { Clear: { } clear } => clear,
        { Sealed: { } sealedBytes } => await keys.Open(row.PatientKey, sealedBytes, Context(row.Id, "payload"), ct),
        _ => null,
    };

    /// <summary>Why it was returned; null when it was not, or the patient was shredded.</summary>
    public async Task<string?> ReturnReason(PrescriptionRow row, CancellationToken ct) => row.ReturnReason switch
    {
        { Clear: { } clear } => Encoding.UTF8.GetString(clear),
        { Sealed: { } sealedBytes } => await keys.Open(row.PatientKey, sealedBytes, Context(row.Id, "return"), ct) is { } text ? Encoding.UTF8.GetString(text) : null,
        _ => null,
    };

    private static byte[] Context(Guid prescription, string use) => Encoding.ASCII.GetBytes($"trust.prescription.v1\n{prescription:D}\n{use}");
}
