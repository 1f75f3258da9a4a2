using Microsoft.Extensions.Configuration;
using Trust.CA.Certificates;
using Trust.CA.Enrolment;
using Trust.CA.Entitlements;
using Trust.CA.Feed;
using Trust.CA.Officers;
using Trust.CA.Persons;
using Trust.CA.Registry;
using Trust.CA.Residency;
using Trust.CA.Revocation;
using Trust.Crypto.Asn1;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Route = Trust.Kernel.Hosting.Route;

namespace Trust.CA;

/// <summary>Every route of the CA.</summary>
internal static class Map
{
    private static readonly Who Officer = Who.Card("registration officer", OfficerDirectory.Admit);

    /// <summary>The table; which other regions' ca may ask for identifiers is configuration's to say.</summary>
    public static RouteTable Routes(IConfiguration configuration)
    {
        var askers = Who.Peers(configuration.Has("Ca") ? configuration.Section<CaOptions>("Ca").Persons.Askers : []);
        return Own().Protocol<EvaluateTags>(EvaluateTags.Path, askers, Limit.None, e => e.Handle,
                "Multiplies blinded elements by the key of tags, for another region's ca.", Asked)
            .Protocol<GiveIdentifiers>(GiveIdentifiers.Path, askers, Limit.None, e => e.Handle,
                "The identifier of each tag, the same in every region, for another region's ca.", Asked);
    }

    // Neither document nor name: what is told of a person is his identifier, a pseudonym.
    private static Route Asked(Route route) => route with { Data = DataClass.Deidentified };

    private static RouteTable Own() => new RouteTable()
        // Who exists and what they may do.
        .Post<ImportRegistry>("/registry/imports", Officer, Limit.Card, e => e.Handle,
            "Enters institutions, practitioners, affiliations and filings; what widens rights waits for a second officer.")
        .Get<ListImports>("/registry/imports", Officer, Limit.Card, e => e.Handle, "Imports that wait, or waited, for a second officer.")
        .Get<ShowImport>("/registry/imports/{id:guid}", Officer, Limit.Card, e => e.Handle, "Every row of such an import, before and after.")
        .Post<ConfirmImport>("/registry/imports/{id:guid}/confirmations", Officer, Limit.Card, e => e.Handle,
            "Gives the rights that an import asks for, as the second officer.")
        .Post<WithdrawImport>("/registry/imports/{id:guid}/withdrawals", Officer, Limit.Card, e => e.Handle, "Ends such an import without giving anything.", Route.Uncompared)
        .Protocol<FindPractitioners>("/practitioners/searches", Who.CardOrToken("registration officer", OfficerDirectory.Admit, RegistryReaders.Scope), Limit.Card, e => e.Handle,
            "Practitioners by licence number, name or document; the search is recorded before the answer leaves.")
        .Post<ChangePractitionerState>("/practitioners/{urn}/state", Officer, Limit.Card, e => e.Handle,
            "Takes a practitioner's rights away at once, or asks for their return.", Route.Uncompared)
        .Post<ConfirmReinstatement>("/practitioners/{urn}/state/{id:guid}/confirmations", Officer, Limit.Card, e => e.Handle,
            "Gives a practitioner's rights back, as the second officer.")
        .Post<CloseInstitution>("/institutions/{urn}/state", Officer, Limit.Card, e => e.Handle, "Closes an institution for good.", Route.Uncompared)

        // Certificates.
        .Post<RequestCertificate>("/certificate-requests", Officer, Limit.Card, e => e.Handle,
            "Asks for a certificate, with a holder's key and identity proof.")
        .Get<ListRequests>("/certificate-requests", Officer, Limit.Card, e => e.Handle, "Lists requests, oldest first: those that wait for approval, or of any state.")
        .Get<ShowRequest>("/certificate-requests/{id:guid}", Officer, Limit.Card, e => e.Handle,
            "Everything an approval covers, and where the request stands, with the certificate once issued.")
        .Post<ApproveRequest>("/certificate-requests/{id:guid}/approvals", Officer, Limit.Card, e => e.Handle,
            "Approves a request by the officer's signature; the second approval issues.")
        .Get<ShowCertificate>("/certificates/{sha256}", Officer, Limit.Card, e => e.Handle, "A certificate with its state.")
        .Post<ChangeCertificateState>("/certificates/{sha256}/hold", Officer, Limit.Card, e => e.Hold, "Puts a certificate on hold at once.", Route.Uncompared)
        .Post<ResumeCertificate>("/certificates/{sha256}/resume", Officer, Limit.Card, e => e.Handle, "Takes a certificate off hold; needs two officers.")
        .Post<ChangeCertificateState>("/certificates/{sha256}/revoke", Officer, Limit.Card, e => e.Revoke, "Revokes a certificate for good, at once.", Route.Uncompared)

        // Residency. A declaration that closed ca itself is mended by the verb (decision 120): these read and write the very places that it may have taken away.
        .Post<ProposeDeclaration>("/residency/declarations", Officer, Limit.Card, e => e.Handle, "Proposes a residency declaration, signed by the officer's card.",
            r => r with { MaximumBody = ResidencyTerms.MaxBytes * 2 })
        .Get<ShowDeclarations>("/residency/declarations", Officer, Limit.Card, e => e.List, "Residency declarations, oldest first.")
        .Get<ShowDeclarations>("/residency/declarations/{id:guid}", Officer, Limit.Card, e => e.Show,
            "Everything that a second officer signs, beside what is in force.")
        .Post<AcceptDeclaration>("/residency/declarations/{id:guid}/signatures", Officer, Limit.Card, e => e.Handle,
            "Puts a residency declaration into force by the second officer's signature.")
        .Get<ShowDeclarations>("/residency/declaration", Who.Peers("idp", "sign", "ledger", "witness"), Limit.None, e => e.Newest,
            "The residency declaration in force, with its signatures.", r => Route.Uncompared(r) with { AnswersClosed = true })

        // The other services.
        .Post<RenewServiceCertificate>("/service-certificates", Who.Peers("ca", "idp", "sign", "ledger", "witness"), Limit.None, e => e.Handle,
            "Renews the calling service's own TLS certificate.", Route.Uncompared)
        .Get<AnswerEntitlement>("/entitlements", Who.TokenOrPeers(RegistryReaders.Scope, "idp", "sign"), Limit.Client, e => e.Handle,
            "Whether someone may do an act at an instant, signed; for services, for a regulator's region, and for oneself.")
        .Get<ShowOfficer>("/officers/{sha256}", Who.Peers("idp"), Limit.None, e => e.Handle, "The officer behind a good certificate, for the provider's own officers' door.")
        .Get<ShowHolder>("/holders/{sha256}", Who.Peers("idp", "sign"), Limit.None, e => e.Handle, "The practitioner behind a certificate.")
        .Get<ShowCertificateStatus>("/certificates/{sha256}/status", Who.Peers("idp", "sign"), Limit.None, e => e.Handle,
            "A certificate's status at an instant, and whether it was revoked since.")
        .Get<StreamFeed>("/feed", Who.Peers("idp", "sign"), Limit.None, e => e.Handle, "Every change, as it happens, and a heartbeat a second.")

        // Anyone, over plain HTTP: what is signed needs no TLS (RFC 5280 8, RFC 6960 A.1).
        .Protocol<AnswerOcsp>("/ocsp", Who.Anyone, Limit.Sign, e => e.Post, "Whether a certificate is good (OCSP).",
            r => r with { MaximumBody = OcspRequest.MaxBytes, ProtocolBody = OcspAnswer.Refuse })
        .Get<AnswerOcsp>("/ocsp/{**request}", Who.Anyone, Limit.Read, e => e.Get, "Whether a certificate is good (OCSP), from memory where it can be.",
            r => r with { ProtocolBody = OcspAnswer.Refuse })
        .Get<ServeLists>("/crl/{file}", Who.Anyone, Limit.Read, e => e.List, "An issuer's latest revocation list.")
        .Get<ServeLists>("/ca/{file}", Who.Anyone, Limit.Read, e => e.Certificate, "An issuer's certificate.", Route.Uncompared);
}
