using Trust.Kernel.Audit;
using Trust.LogFormat.Index;

namespace Trust.Kernel.Hosting;

/// <summary>Refusals that every service may give.</summary>
[RefusalCatalogue("*")]
public static class CommonRefusals
{
    /// <summary>The endpoint's row of the route table names no caller.</summary>
    public static readonly Refusal AccessNotDeclared = new("access-not-declared", 403,
        "此接口没有声明调用方，因此关闭。", "This endpoint declares no caller and is closed.");

    /// <summary>No client certificate in the handshake.</summary>
    public static readonly Refusal CardRequired = new("card-required", 401,
        "握手中没有出示客户端证书：请插入证书卡（USB Key）后重试。", "Insert your card and call again: no client certificate was shown in the handshake.");

    /// <summary>No service certificate.</summary>
    public static readonly Refusal PeerRequired = new("peer-required", 401,
        "只有本系统的服务可以用其服务证书调用此接口。", "Only services may call this, with their service certificate.");

    /// <summary>Another service's endpoint.</summary>
    public static readonly Refusal PeerNotAllowed = new("peer-not-allowed", 403,
        "服务 {peer} 不能调用此接口。", "The service {peer} may not call this.");

    /// <summary>No token issuer configured.</summary>
    public static readonly Refusal TokensNotConfigured = new("tokens-not-configured", 503,
        "此服务没有配置令牌颁发方。", "This service has no token issuer configured.");

    /// <summary>No access token.</summary>
    public static readonly Refusal TokenMissing = new("invalid-token", 401,
        "请在 Authorization 请求头中携带访问令牌。", "Send an access token in the Authorization header.");

    /// <summary>An access token that is not valid here.</summary>
    public static readonly Refusal TokenInvalid = new("invalid-token", 401,
        "访问令牌在此无效，请重新获取。", "The access token is not valid here; get a new one.");

    /// <summary>A valid token without the scope.</summary>
    public static readonly Refusal InsufficientScope = new("insufficient-scope", 403,
        "访问令牌缺少权限范围 {scope}。", "The access token lacks the scope {scope}.");

    /// <summary>The issuer's keys cannot be read.</summary>
    public static readonly Refusal IssuerUnavailable = new("issuer-unavailable", 503,
        "暂时无法读取令牌颁发方的公钥，请稍后重试。", "The token issuer's keys cannot be read; try again.");

    /// <summary>A place of the service is out of order by residency.</summary>
    public static readonly Refusal PlaceRefused = new("place-refused", 503,
        "本服务因数据驻留规则 {rule} 暂停：位置 {place} 未声明、已到期或不在允许的地区。请由两名人员更新声明。",
        "Residency rule {rule} has closed this service: its place {place} is not declared, its declaration ended, or it stands where the rule does not allow. Two officers must mend the declaration.");

    /// <summary>A caller whose network is not declared, or declared outside.</summary>
    public static readonly Refusal CallerOutside = new("caller-outside", 403,
        "来自境外或未声明网络的访问按数据出境处理，规则 {rule} 不允许。请从已声明的网络访问，或由两名人员声明该网络。",
        "A call from outside, or from a network that nobody declared, is an export, which rule {rule} does not allow. Call from a declared network, or have two officers declare it.");

    /// <summary>The database took no row of that region (docs/RESIDENCY.md §4, row).</summary>
    public static readonly Refusal RegionNotStorable = new("region-not-storable", 403,
        "数据驻留规则不允许该地区的个人数据存储在本系统的数据库中；如声明刚刚放宽，请运维人员运行 migrate。",
        "The residency rules do not let personal data of this region be stored in this system's database. Where a declaration has just come to allow it, the operator must run migrate.");

    /// <summary>
    /// The record is another region's (RFC 9110 15.5.20: no authoritative answer can be given here). Named for its identifier alone: whether there is such a record
    /// is known there only.
    /// </summary>
    public static readonly Refusal KeptElsewhere = new("kept-elsewhere", 421,
        "该记录由地区 {region} 的系统保存，本系统没有。请向 {address} 提出请求，并使用该地区签发的访问令牌。",
        "The record is kept by the installation of region {region}; nothing of it is here. Ask {address}, with an access token of that region.");

    /// <summary>The refusal that names where a record is kept.</summary>
    /// <param name="keeper">Who keeps it.</param>
    /// <param name="service">The service that was asked here.</param>
    public static Refusal KeptBy(Residency.Neighbour keeper, string service)
    {
        ArgumentNullException.ThrowIfNull(keeper);
        return KeptElsewhere.With("region", keeper.Region).With("address", keeper.Services.GetValueOrDefault(service, ""));
    }

    /// <summary>The body or a parameter cannot be read.</summary>
    public static readonly Refusal MalformedRequest = new("malformed-request", 400,
        "无法读取请求：请检查 JSON 的必填成员是否齐全、有无未知或重复的成员，以及路径和参数的格式。",
        "The request cannot be read: check that the JSON has every required member, none unknown and none twice, and that path and parameters have their form.");

    /// <summary>A member that the endpoint does not know.</summary>
    public static readonly Refusal MemberUnknown = new("malformed-request", 400,
        "请求中的成员 {member} 未知：请删除，或核对拼写。", "The request's member {member} is not known: leave it out, or check its spelling.");

    /// <summary>A compulsory member or parameter that is not there.</summary>
    public static readonly Refusal MemberMissing = new("malformed-request", 400,
        "请求缺少必填的成员或参数 {member}。", "The request lacks {member}, which is compulsory.");

    /// <summary>A member that stands twice: two readers would take two values.</summary>
    public static readonly Refusal MemberTwice = new("malformed-request", 400,
        "请求中的成员 {member} 出现两次，只能出现一次。", "The request's member {member} stands there twice; name it once.");

    /// <summary>A member or parameter of another kind or form.</summary>
    public static readonly Refusal MemberWrongKind = new("malformed-request", 400,
        "请求中的成员或参数 {member} 类型或格式不对：请核对接口文档。", "The request's {member} is of the wrong kind or form: see the API document.");

    /// <summary>No JSON.</summary>
    public static readonly Refusal NotJson = new("malformed-request", 400,
        "请求体不是有效的 JSON：第 {line} 行第 {column} 字节处出错。", "The body is no JSON: it breaks at line {line}, byte {column}.");

    /// <summary>A list's <c>after</c> or <c>limit</c> is not one of ours.</summary>
    public static readonly Refusal MalformedPage = new("malformed-page", 400,
        "after 请原样取自上一页 Link 响应头，limit 为 1 到 1000；不带 after 即从第一页开始。",
        "Take after as the Link header of the page before names it, and a limit from 1 to 1000; without after the list begins at its first page.");

    /// <summary>Longer than the endpoint reads.</summary>
    public static readonly Refusal BodyTooLarge = new("body-too-large", 413, "请求体超过此接口允许的大小。", "The body is larger than this endpoint reads.");

    /// <summary>No such path.</summary>
    public static readonly Refusal NoSuchPath = new("no-such-path", 404, "没有这个地址。", "There is nothing at this address.");

    /// <summary>The path knows other methods; Allow names them.</summary>
    public static readonly Refusal MethodNotAllowed = new("method-not-allowed", 405,
        "此地址不支持该方法，可用方法见 Allow 响应头。", "This address does not know the method; Allow names those it knows.");

    /// <summary>The body's media type is not read here.</summary>
    public static readonly Refusal UnsupportedMediaType = new("unsupported-media-type", 415,
        "此接口不读取这种媒体类型的请求体。", "This endpoint does not read bodies of that media type.");

    /// <summary>More calls than the route's limit.</summary>
    public static readonly Refusal TooManyRequests = new("too-many-requests", 429,
        "调用过于频繁，请按 Retry-After 指明的秒数等待后重试。", "Too many calls; wait the seconds that Retry-After names, and call again.");

    /// <summary>No Idempotency-Key, or one of another form.</summary>
    public static readonly Refusal IdempotencyKeyRequired = new("idempotency-key-required", 400,
        "请携带 Idempotency-Key 请求头：1 到 128 个可见 ASCII 字符。", "Send an Idempotency-Key header of 1 to 128 visible ASCII characters.");

    /// <summary>The key was used with other bytes.</summary>
    public static readonly Refusal IdempotencyMismatch = new("idempotency-mismatch", 422,
        "此 Idempotency-Key 已用于另一个请求体，请换一个新的。", "This Idempotency-Key was used with another body; choose a new key.");

    /// <summary>The first request is still running.</summary>
    public static readonly Refusal IdempotencyInFlight = new("idempotency-in-flight", 409,
        "使用此键的第一个请求仍在处理，请稍后再问。", "The first request with this key is still running; ask again shortly.");

    /// <summary>The ledger does not answer, so nothing that must be confirmed is done.</summary>
    public static readonly Refusal LedgerAway = new(AppendRefusal.LedgerAway, 503,
        "审计账本没有应答，此操作未执行，请稍后重试。", "The audit ledger does not answer, so this act is not done. Try again shortly.");

    /// <summary>Too many events, or too old ones, wait for the ledger.</summary>
    public static readonly Refusal BudgetSpent = new(AppendRefusal.BudgetSpent, 503,
        "审计账本中断时间过长，此操作未执行，请稍后重试。", "The audit ledger is away for too long, so this act is not done. Try again later.");

    /// <summary>The database is older than what the ledger has seen of it.</summary>
    public static readonly Refusal HeadBehind = new(AppendRefusal.HeadBehind, 503,
        "本服务的数据库落后于审计账本，已停止记录；请通知运维人员。", "This service's database is behind what the ledger has seen of it, so nothing is recorded; tell the operator.");

    /// <summary>The process has not compared its database's head with the ledger since it started.</summary>
    public static readonly Refusal HeadNotCompared = new("head-not-compared", 503,
        "本服务启动后尚未与审计账本核对数据库是否为最新，核对之前不作任何证明；请按 Retry-After 指明的秒数稍后重试。",
        "Since it started, this service has not been able to ask the audit ledger whether its database is the newest, and vouches for nothing until then; try again after the seconds that Retry-After names.");

    /// <summary>An unknown fault.</summary>
    public static readonly Refusal Fault = new("fault", 500,
        "我们这边出现故障；已确认的内容不会丢失。请重试，若仍失败请提供 traceId。",
        "Something failed on our side; nothing acknowledged is lost. Try again, and quote the trace id if it stays.");

    /// <summary>Database or token do not answer.</summary>
    public static readonly Refusal FaultUnavailable = Fault with { Status = 503 };

    /// <summary>What an act without the ledger's receipt means to a caller.</summary>
    public static Refusal From(ConfirmOutcome outcome) => outcome is ConfirmOutcome.Refused(var reason) ? From(reason) : LedgerAway;

    /// <summary>What an outbox refusal means to a caller.</summary>
    public static Refusal From(AppendRefusal refusal)
    {
        ArgumentNullException.ThrowIfNull(refusal);
        return refusal.Code switch
        {
            AppendRefusal.LedgerAway => LedgerAway,
            AppendRefusal.HeadBehind => HeadBehind,
            _ => BudgetSpent,
        };
    }
}
