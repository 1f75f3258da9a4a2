using Npgsql;
using Trust.Idp.Sessions;
using Trust.Kernel.Postgres;

namespace Trust.Idp.Authorize;

/// <summary>A validated authorization request, kept on the server until it is answered once.</summary>
/// <param name="Id">Hash of the identifier that travels in URLs.</param>
/// <param name="ClientId">Client.</param>
/// <param name="RedirectUri">Exactly one of the client's registered URIs.</param>
/// <param name="Scope">Granted at most; space separated.</param>
/// <param name="State">Returned unchanged.</param>
/// <param name="Nonce">Goes into the ID token.</param>
/// <param name="CodeChallenge">S256 challenge (RFC 7636); null for a client of the profile oidc-compat that sent none.</param>
/// <param name="Resource">Audience of the access token (RFC 8707).</param>
/// <param name="Prompt">OpenID Connect Core §3.1.2.1.</param>
/// <param name="MaxAge">Oldest acceptable login, seconds.</param>
/// <param name="HintSubject">Subject of the <c>id_token_hint</c>; only that person may answer.</param>
/// <param name="CreatedAt">When the browser began.</param>
/// <param name="Login">Session of the login that this request itself caused.</param>
public sealed record AuthorizationRequest(
    byte[] Id, string ClientId, string RedirectUri, string Scope, string? State, string? Nonce, string? CodeChallenge, string Resource, string Prompt, int? MaxAge,
    string? HintSubject, DateTimeOffset CreatedAt, Guid? Login = null)
{
    // A signature is asked for by whoever sits there now.
    private static readonly TimeSpan FreshLogin = TimeSpan.FromSeconds(60);

    /// <summary>Client whose name the provider's own pages bear: a person logs in for them where no client has sent the browser.</summary>
    public const string OwnPages = "trust-pages";

    /// <summary>What a person agrees to where no browser comes from the client.</summary>
    internal static AuthorizationRequest For(string clientId, string scope, DateTimeOffset now) => new([], clientId, "", scope, null, null, null, "", "", null, null, now);

    /// <summary>A login for one of the provider's own pages, to which the browser then goes.</summary>
    internal static AuthorizationRequest ForOwnPage(string path, DateTimeOffset now) => For(OwnPages, "openid", now) with { RedirectUri = path };

    /// <summary>True for a login for one of the provider's own pages: it brings no code.</summary>
    internal bool IsForOwnPage => ClientId == OwnPages;

    /// <summary>How the client is answered; one of <see cref="AuthorizationAnswer.Modes"/>.</summary>
    public string ResponseMode { get; init; } = "query";

    /// <summary>The <c>claims</c> parameter as sent.</summary>
    public string? Claims { get; init; }

    /// <summary>The <c>authorization_details</c> parameter as sent (RFC 9396), judged.</summary>
    public string? AuthorizationDetails { get; init; }

    /// <summary>Thumbprint of the key that the code and its tokens are bound to (RFC 9449 10).</summary>
    public string? DpopJkt { get; init; }

    /// <summary>Hash of the <c>request_uri</c> that it was pushed as; answered once with it.</summary>
    public byte[]? Pushed { get; init; }

    /// <summary>Languages that the client wishes for; not kept.</summary>
    public string? UiLocales { get; init; }

    /// <summary>What <see cref="AuthorizationDetails"/> asks for.</summary>
    public IReadOnlyList<AuthorizationDetail> Details => AuthorizationDetails is null ? [] : Authorize.AuthorizationDetails.TryParse(AuthorizationDetails) ?? [];

    /// <summary>The institution that must act, where the details name one.</summary>
    public string? ActingInstitution => Details.OfType<AuthorizationDetail.Signing>().FirstOrDefault()?.Institution.Value;

    /// <summary>The institution that the client asked for by the parameter <c>acting_institution</c>.</summary>
    public string? AskedInstitution { get; init; }

    /// <summary>True when the login's context is one that the client cannot do without, or when it named none so.</summary>
    public bool IsMetBy(string acr) => RequestedClaims.TryParse(Claims) is not { EssentialAcr: { Count: > 0 } essential } || essential.Contains(acr, StringComparer.Ordinal);

    /// <summary>
    /// True when a session may answer: the one that the request's own login opened, or an earlier one where the client did not ask for a new login
    /// (<c>prompt</c>, <c>max_age</c>). Whether it is the person that the client named is asked apart (<see cref="HintedPerson"/>).
    /// </summary>
    public bool Accepts(Session session)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Id == Login
            || (!Asks("login") && !Asks("select_account") && (MaxAge is not { } age || CreatedAt - session.AuthenticatedAt <= TimeSpan.FromSeconds(age))
                && (ActingInstitution is null || CreatedAt - session.AuthenticatedAt <= FreshLogin));
    }

    /// <summary>True when the client asked for this prompt value.</summary>
    public bool Asks(string prompt) => Prompt.Split(' ').Contains(prompt, StringComparer.Ordinal);
}

/// <summary>Authorization requests between the first redirect and the answer; bound to the browser that began.</summary>
public sealed class AuthorizationRequests(NpgsqlDataSource db, TimeProvider clock)
{
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(10);
    private const string Insert = """
        INSERT INTO authorization_requests (id, cookie_hash, client_id, redirect_uri, scope, state, nonce, code_challenge, resource, prompt, max_age, created_at, expires_at,
                                            hint_subject, response_mode, claims, authorization_details, dpop_jkt, pushed, acting_institution)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
        """;
    private const string FindSql = """
        SELECT id, client_id, redirect_uri, scope, state, nonce, code_challenge, resource, prompt, max_age, hint_subject, created_at, session_id,
               response_mode, claims, authorization_details, dpop_jkt, pushed, acting_institution
        FROM authorization_requests
        WHERE id = $1 AND cookie_hash = $2 AND answered_at IS NULL AND expires_at > $3
        """;
    private const string ExistsSql = "SELECT client_id FROM authorization_requests WHERE id = $1 AND answered_at IS NULL AND expires_at > $2";
    private const string BindSql = "UPDATE authorization_requests SET session_id = $2 WHERE id = $1";
    private const string AnswerSql = "UPDATE authorization_requests SET answered_at = $2 WHERE id = $1 AND answered_at IS NULL";

    // RFC 9126 4, FAPI 2.0 5.3.2.2: one use, counted when it is answered; a page may be loaded again before.
    private const string UseSql = "UPDATE pushed_requests SET used_at = $2 WHERE hash = $1 AND used_at IS NULL";

    /// <summary>Keeps a request and binds it to the browser by a cookie; returns the identifier for URLs.</summary>
    public async Task<string> Begin(HttpContext context, AuthorizationRequest request, CancellationToken ct)
    {
        var (id, cookie, now) = (Secret.New(), Secret.New(), clock.GetUtcNow());
        await db.Sql(Insert).With(Secret.Hash("request", id)).With(Secret.Hash("request-cookie", cookie)).With(request.ClientId).With(request.RedirectUri)
            .With(request.Scope).With(request.State).With(request.Nonce).With(request.CodeChallenge).With(request.Resource).With(request.Prompt)
            .With(request.MaxAge).With(request.CreatedAt).With(now + Life).With(request.HintSubject)
            .With(request.ResponseMode).With(request.Claims).With(request.AuthorizationDetails).With(request.DpopJkt).With(request.Pushed).With(request.AskedInstitution).Execute(ct);
        Cookies.SetRequest(context, id, cookie, Life);
        return id;
    }

    /// <summary>The request, only for the browser that began it.</summary>
    public Task<AuthorizationRequest?> Find(HttpContext context, string? id, CancellationToken ct) =>
        id is { Length: 43 } && Cookies.OfRequest(context, id) is { Length: 43 } cookie
            ? db.Sql(FindSql).With(Secret.Hash("request", id)).With(Secret.Hash("request-cookie", cookie)).With(clock.GetUtcNow()).One(Row, ct)
            : Task.FromResult<AuthorizationRequest?>(null);

    /// <summary>The client of an open request, whichever browser asks: the card host has no cookie of the main host.</summary>
    public Task<string?> ClientOf(string? id, CancellationToken ct) => id is { Length: 43 }
        ? db.Sql(ExistsSql).With(Secret.Hash("request", id)).With(clock.GetUtcNow()).Scalar<string>(ct)
        : Task.FromResult<string?>(null);

    /// <summary>Binds the request to the session of the login that it caused.</summary>
    public static Task Bind(NpgsqlTransaction tx, AuthorizationRequest request, Session session, CancellationToken ct) =>
        tx.Sql(BindSql).With(request.Id).With(session.Id).Execute(ct);

    /// <summary>Marks the request answered, and the pushed one that it came from; false when either already was.</summary>
    public async Task<bool> Answer(NpgsqlTransaction tx, AuthorizationRequest request, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(request);
        var now = clock.GetUtcNow();
        return (request.Id.Length == 0 || await tx.Sql(AnswerSql).With(request.Id).With(now).Execute(ct) == 1)
            && (request.Pushed is null || await tx.Sql(UseSql).With(request.Pushed).With(now).Execute(ct) == 1);
    }

    /// <summary>Marks a request answered that brings no code; false when it already was.</summary>
    public async Task<bool> Answer(AuthorizationRequest request, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var first = await Answer(tx, request, ct);
        if (first)
        {
            await tx.CommitAsync(ct);
        }

        return first;
    }

    private static AuthorizationRequest Row(NpgsqlDataReader r) => new(
        r.GetFieldValue<byte[]>(0), r.GetString(1), r.GetString(2), r.GetString(3), r.Nullable<string>(4), r.Nullable<string>(5), r.Nullable<string>(6), r.GetString(7), r.GetString(8),
        r.IsDBNull(9) ? null : r.GetInt32(9), r.Nullable<string>(10), r.GetFieldValue<DateTimeOffset>(11), r.Nullable<Guid?>(12))
    {
        ResponseMode = r.GetString(13), Claims = r.Nullable<string>(14), AuthorizationDetails = r.Nullable<string>(15), DpopJkt = r.Nullable<string>(16), Pushed = r.Nullable<byte[]>(17), AskedInstitution = r.Nullable<string>(18),
    };
}
