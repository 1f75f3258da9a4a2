/* A PKCS#11 module that stands before another one and types the PIN, as its holder would: a headless browser has no PIN dialog.
 * It hides CKF_LOGIN_REQUIRED and logs in on C_OpenSession with the PIN from a file; everything else is the real module's.
 * The key stays private, sensitive and inside the token. AUTO_LOGIN_MODULE and AUTO_LOGIN_PIN name module and PIN file. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long CK_ULONG;
typedef struct { unsigned char major, minor; } CK_VERSION;
typedef struct { CK_VERSION version; void *fn[68]; } CK_FUNCTION_LIST;
typedef struct { unsigned char label[32], manufacturer[32], model[16], serial[16]; CK_ULONG flags; } CK_TOKEN_INFO_HEAD;

enum { GET_FUNCTION_LIST = 3, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18 };
#define CKF_LOGIN_REQUIRED 0x4UL
#define CKR_USER_ALREADY_LOGGED_IN 0x100UL

static CK_FUNCTION_LIST *real, mine;

static CK_ULONG token_info(CK_ULONG slot, CK_TOKEN_INFO_HEAD *info) {
    CK_ULONG rv = ((CK_ULONG (*)(CK_ULONG, void *))real->fn[GET_TOKEN_INFO])(slot, info);
    if (rv == 0) info->flags &= ~CKF_LOGIN_REQUIRED;
    return rv;
}

static CK_ULONG open_session(CK_ULONG slot, CK_ULONG flags, void *app, void *notify, CK_ULONG *session) {
    CK_ULONG rv = ((CK_ULONG (*)(CK_ULONG, CK_ULONG, void *, void *, CK_ULONG *))real->fn[OPEN_SESSION])(slot, flags, app, notify, session);
    if (rv != 0) return rv;
    char pin[64] = {0};
    FILE *file = fopen(getenv("AUTO_LOGIN_PIN"), "r");
    if (file) {
        size_t n = fread(pin, 1, sizeof pin - 1, file);
        fclose(file);
        while (n > 0 && (pin[n - 1] == '\n' || pin[n - 1] == '\r')) n--;
        CK_ULONG login = ((CK_ULONG (*)(CK_ULONG, CK_ULONG, char *, CK_ULONG))real->fn[LOGIN])(*session, 1, pin, n);
        memset(pin, 0, sizeof pin);
        /* A wrong PIN leaves a session without the key: the browser's handshake then fails, as it must. */
        if (login != 0 && login != CKR_USER_ALREADY_LOGGED_IN) fprintf(stderr, "auto-login: C_Login 0x%lx\n", login);
    }
    return 0;
}

CK_ULONG C_GetFunctionList(CK_FUNCTION_LIST **list) {
    if (!real) {
        void *module = dlopen(getenv("AUTO_LOGIN_MODULE"), RTLD_NOW | RTLD_LOCAL);
        if (!module) return 5;
        CK_ULONG rv = ((CK_ULONG (*)(CK_FUNCTION_LIST **))dlsym(module, "C_GetFunctionList"))(&real);
        if (rv != 0) return rv;
        mine = *real;
        mine.fn[GET_FUNCTION_LIST] = (void *)C_GetFunctionList;
        mine.fn[GET_TOKEN_INFO] = (void *)token_info;
        mine.fn[OPEN_SESSION] = (void *)open_session;
    }
    *list = &mine;
    return 0;
}
