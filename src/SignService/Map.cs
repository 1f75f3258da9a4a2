using Microsoft.Extensions.Configuration;
using Trust.Kernel.Hosting;
using Trust.Kernel.Keys;
using Trust.SignService.Prescriptions;
using Trust.SignService.Seals;
using Trust.SignService.Timestamps;
using Trust.SignService.Validation;
using Route = Trust.Kernel.Hosting.Route;

namespace Trust.SignService;

/// <summary>Every route of the signing service, who may call it and how often.</summary>
internal static class Map
{
    /// <summary>The table.</summary>
    public static RouteTable Routes(IConfiguration configuration) => new RouteTable()
        // The doctor signs.
        .Post<PreparePrescription>("/prescriptions", Who.Token("rx.sign"), Limit.Client, e => e.Handle,
            "Fixes a prescription's bytes, judges it, and answers what the doctor's card is to sign.")
        .Post<CompletePrescription>("/prescriptions/{id:guid}/signature", Who.Token("rx.sign"), Limit.Client, e => e.Handle,
            "Takes the doctor's signature, asks the registry again, and stamps the time.")
        .Post<VoidPrescription>("/prescriptions/{id:guid}/void", Who.Token("rx.sign"), Limit.Client, e => e.Handle,
            "The author withdraws a prescription that is not dispensed.", Route.Uncompared)

        .Post<VoidPrescription>("/prescriptions/{id:guid}/institution-void", Who.Token("rx.void"), Limit.Client, e => e.ByInstitution,
            "The institution's own system withdraws a prescription of its doctors that is not dispensed.", Route.Uncompared)

        // The pharmacist reviews; the institution's seal follows by itself.
        .Post<ReviewPrescription>("/prescriptions/{id:guid}/review", Who.Token("rx.review"), Limit.Client, e => e.Prepare,
            "Answers what the reviewing pharmacist's card is to sign.")
        .Post<ReviewPrescription>("/prescriptions/{id:guid}/review/signature", Who.Token("rx.review"), Limit.Client, e => e.Complete,
            "Takes the pharmacist's signature, has the institution's seal put on, and releases the prescription.")
        .Post<ReturnPrescription>("/prescriptions/{id:guid}/return", Who.Token("rx.review"), Limit.Client, e => e.Handle,
            "The pharmacist sends a prescription back with a reason.")

        // The pharmacy dispenses.
        .Post<ClaimPrescription>("/prescriptions/{id:guid}/claim", Who.Token("rx.claim"), Limit.Client, e => e.Handle,
            "One pharmacy locks a released prescription, once.")
        .Post<UnclaimPrescription>("/prescriptions/{id:guid}/unclaim", Who.Token("rx.claim"), Limit.Client, e => e.Handle,
            "The pharmacy that holds the lock gives it back undispensed.")
        .Post<DispensePrescription>("/prescriptions/{id:guid}/dispense", Who.Token("rx.dispense"), Limit.Client, e => e.Handle,
            "The pharmacy that holds the lock records that the medicine was handed over, once.")

        // Whoever may see it reads it; the disclosure is on the ledger first.
        .Get<ReadPrescription>("/prescriptions/{id:guid}", Who.Token("rx.read"), Limit.Client, e => e.Handle,
            "A prescription with its state and signatures, for its institution and the pharmacy that claimed it.")
        .Get<ReadPrescription>("/prescriptions/{id:guid}/evidence", Who.Peers("ledger"), Limit.None, e => e.Evidence,
            "A prescription's signed material, for the ledger's evidence file.")
        .Post<ValidateSignatures>("/validations", Who.Token("validate"), Limit.Client, e => e.Handle,
            "Judges a prescription's signatures against what it says, as of their time-stamps: who signed, how far it is proved, what is missing.")

        // The ledger, where two records officers decided it, has a patient shredded.
        .Put<PersonShredding>("/shreddings/{id:guid}", Who.Peers("ledger"), Limit.None, e => e.Handle,
            "Destroys the key under which a patient's prescriptions are sealed, unless they have to be kept; answers where that stands.")

        // An institution's own system handles its seal.
        .Get<RequestSeal>("/seals/{institution}/request", Who.Token("seal"), Limit.Client, e => e.Handle,
            "Makes the institution's seal key, once, and gives the request for its certificate (PKCS#10).")
        .Put<CertifySeal>("/seals/{institution}/certificate", Who.Token("seal"), Limit.Client, e => e.Handle,
            "Takes the seal's certificate when our CA issued it for this institution and this key.")
        .Post<SealDocument>("/seals/{institution}/signatures", Who.Token("seal"), Limit.Client, e => e.Handle,
            "Puts the institution's seal on a document, which is not kept.", row => row with { Repeats = Repeats.FirstRow })

        // Time-stamps are for everyone.
        .Protocol<AnswerTimeStampRequest>("/timestamp", Who.Anyone, Limit.Sign, e => e.Handle,
            "Stamps the time on a hash (RFC 3161).", row => row with { ProtocolBody = AnswerTimeStampRequest.WriteRejection });
}
